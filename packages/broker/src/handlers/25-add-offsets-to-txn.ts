import { LogError } from '../errors.ts';
import { AddOffsetsToTxn } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';
import { offsetsPartition } from '../transactions/participants.ts';
import { knownSince } from './transaction-errors.ts';

/** AddOffsetsToTxn, v0–4. All groups' offsets are in one partition, so which group it is makes no difference. */
export const addOffsetsToTxn = handler(
  AddOffsetsToTxn,
  async ({ transactionalId, producerId, producerEpoch, groupId }, { version, broker }) => {
    if (groupId === '') throw new LogError('INVALID_GROUP_ID', "a group's name has at least one character");
    await broker.transactions
      .addPartitions(transactionalId, { producerId, producerEpoch }, offsetsPartition)
      .catch(knownSince(2, version));
    return { throttleTimeMs: 0, errorCode: 0 };
  },
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode }),
);
