import { codeOf, errorNumber } from '../errors.ts';
import { DescribeTransactions } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

/** DescribeTransactions, v0. Nothing is left out. */
export const describeTransactions = handler(
  DescribeTransactions,
  ({ transactionalIds }, { broker }) => ({
    throttleTimeMs: 0,
    transactionStates: transactionalIds.map((id) => described(broker.transactions, id)),
  }),
  ({ transactionalIds }, errorCode) => ({
    throttleTimeMs: 0,
    transactionStates: transactionalIds.map((id) => nothingOf(id, errorCode)),
  }),
);

function described(transactions: TransactionCoordinator, id: string): ReturnType<typeof nothingOf> {
  try {
    const { state, timeoutMs, startedAt, producerId, producerEpoch, partitions } = transactions.describe(id);
    return {
      errorCode: 0,
      transactionalId: id,
      transactionState: state,
      transactionTimeoutMs: timeoutMs,
      transactionStartTimeMs: startedAt,
      producerId,
      producerEpoch,
      topics: [...partitions].map(([topic, numbers]) => ({ topic, partitions: [...numbers] })),
    };
  } catch (error) {
    return nothingOf(id, errorNumber(codeOf(error)));
  }
}

function nothingOf(transactionalId: string, errorCode: number) {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [] as { topic: string; partitions: number[] }[],
  };
}
