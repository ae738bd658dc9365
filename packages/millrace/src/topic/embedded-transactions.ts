/** Transactions of the embedded log behind the seam of topic-log.ts. */
import type { Log, TransactionalProducer } from '@millrace/broker';
import { LogError } from '@millrace/broker';
import { CONTROL_TOPIC, ensureControlTopic } from './control-topic.ts';
import type { TopicLog, TopicTransactions } from './topic-log.ts';
import { TransactionFenced } from './topic-log.ts';

const FENCED = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING']);

export function embeddedTransactions(
  log: Log,
  ensureTopic: TopicLog['ensureTopic'],
  transactionalId: string,
): TopicTransactions {
  const key = new TextEncoder().encode(transactionalId);
  let producer: TransactionalProducer | undefined;
  return {
    async claim() {
      await ensureControlTopic(ensureTopic);
      producer = await log.transactionalProducer(transactionalId);
      return log.committedValue(CONTROL_TOPIC, 0, key) ?? undefined;
    },
    async publish(topic, records, marker) {
      if (!producer) throw new TransactionFenced(`the transactional id '${transactionalId}' was not claimed`);
      const all = [...records.map((record) => ({ topic, ...record })), { topic: CONTROL_TOPIC, key, value: marker }];
      try {
        await producer.commit(all);
      } catch (error) {
        if (error instanceof LogError && FENCED.has(error.code)) {
          throw new TransactionFenced(error.message, { cause: error });
        }
        throw error;
      }
    },
  };
}
