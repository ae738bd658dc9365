import { LogError } from '../errors.ts';
import { InitProducerId } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';
import type { ProducerIdAndEpoch } from '../transactions/transaction.ts';
import { knownSince } from './transaction-errors.ts';

/**
 * InitProducerId, v0–5. Left out: v6, in which a producer takes part in another system's two-phase commit (KIP-939).
 *
 * A producer that has nothing to go on from says so with -1 and -1. Some clients say it with 0 and 0; no producer is
 * ever given the id 0 here, so it means the same.
 */
export const initProducerId = handler(
  InitProducerId,
  async (request, { version, broker }) => {
    const { transactionalId, transactionTimeoutMs: timeoutMs } = request;
    const expected = expectedOf(request);
    const given = await broker.transactions
      .initProducerId({ transactionalId, timeoutMs, expected })
      .catch(knownSince(4, version));
    return { throttleTimeMs: 0, errorCode: 0, ...given };
  },
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode, producerEpoch: -1 }),
);

function expectedOf({ producerId, producerEpoch }: ProducerIdAndEpoch): ProducerIdAndEpoch | undefined {
  const nothing = producerId === producerEpoch && (producerId === -1 || producerId === 0);
  if (nothing) return undefined;
  if (producerId >= 0 && producerEpoch >= 0) return { producerId, producerEpoch };
  throw new LogError(
    'INVALID_REQUEST',
    `a producer has an id and an epoch or neither, not id ${producerId} with epoch ${producerEpoch}`,
  );
}
