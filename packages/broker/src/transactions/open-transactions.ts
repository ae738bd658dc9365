import type { Clock } from '../log/clock.ts';
import { TRANSACTIONS_TOPIC } from '../log/data-directory.ts';
import type { DirectoryLog } from '../log/log.ts';
import type { BrokerSettings } from '../server/settings.ts';
import { logParticipants } from './log-participants.ts';
import { ProducerIds } from './producer-ids.ts';
import { TransactionCoordinator } from './transaction-coordinator.ts';

/**
 * The coordinator of a data directory; makes `__transaction_state` if it is missing. Once per opened log, and closed
 * before the log is.
 */
export async function openTransactions(options: {
  readonly log: DirectoryLog;
  readonly clock: Clock;
  readonly settings: Pick<BrokerSettings, 'transaction.max.timeout.ms' | 'transactional.id.expiration.ms'>;
}): Promise<TransactionCoordinator> {
  const { log, clock, settings } = options;
  return new TransactionCoordinator({
    log: await log.catalog.openInternal(TRANSACTIONS_TOPIC),
    producerIds: new ProducerIds((count) => log.catalog.allotProducerIds(count)),
    participants: logParticipants(log),
    clock,
    maxTimeoutMs: settings['transaction.max.timeout.ms'],
    expirationMs: settings['transactional.id.expiration.ms'],
  });
}
