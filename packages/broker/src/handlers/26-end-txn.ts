import { EndTxn } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';
import { knownSince } from './transaction-errors.ts';

/** EndTxn, v0–4. Left out: v5, which is for an epoch per transaction (KIP-890), a feature that is not advertised. */
export const endTxn = handler(
  EndTxn,
  async ({ transactionalId, producerId, producerEpoch, committed }, { version, broker }) => {
    await broker.transactions
      .end(transactionalId, { producerId, producerEpoch }, committed)
      .catch(knownSince(2, version));
    return { throttleTimeMs: 0, errorCode: 0 };
  },
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode }),
);
