import { ListTransactions } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';

/**
 * ListTransactions, v0–1. Left out: v2, which filters by a pattern of the client's, because a pattern can take for ever
 * to match.
 */
export const listTransactions = handler(
  ListTransactions,
  ({ stateFilters, producerIdFilters, durationFilter }, { broker }) => {
    const { unknownStates, transactions } = broker.transactions.list({
      states: stateFilters,
      producerIds: producerIdFilters,
      durationMs: durationFilter,
    });
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      unknownStateFilters: [...unknownStates],
      transactionStates: transactions.map(({ transactionalId, producerId, state }) => ({
        transactionalId,
        producerId,
        transactionState: state,
      })),
    };
  },
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode, unknownStateFilters: [], transactionStates: [] }),
);
