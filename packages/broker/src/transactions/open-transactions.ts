import { TRANSACTIONS_TOPIC } from '../log/data-directory.ts';
import type { DirectoryLog } from '../log/log.ts';
import { defaultSettings } from '../server/settings.ts';
import { logParticipants } from './log-participants.ts';
import { ProducerIds } from './producer-ids.ts';
import { TransactionCoordinator } from './transaction-coordinator.ts';

/**
 * The coordinator of a data directory; makes `__transaction_state` if it is missing. There is one per opened log, whoever
 * writes through it, in this process or over the network: `DirectoryLog.transactions` gives it, and nobody else calls this.
 */
export async function openTransactions(log: DirectoryLog): Promise<TransactionCoordinator> {
  return new TransactionCoordinator({
    log: await log.catalog.openInternal(TRANSACTIONS_TOPIC),
    producerIds: new ProducerIds((count) => log.catalog.allotProducerIds(count)),
    participants: logParticipants(log),
    clock: log.directory.clock,
    limits: {
      maxTimeoutMs: defaultSettings['transaction.max.timeout.ms'],
      expirationMs: defaultSettings['transactional.id.expiration.ms'],
    },
  });
}
