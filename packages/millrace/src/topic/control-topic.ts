/**
 * The control topic: for each transactional id the marker of the transaction that it committed last. A marker is written in
 * the transaction that it marks, so it says exactly what was published. It is compacted, and its settings keep it small:
 * a publisher that starts reads it whole.
 */
import type { TopicConfig } from '@millrace/broker';
import { MillraceError } from '../errors.ts';
import type { DeclaredTopic, TopicLog } from './topic-log.ts';

export const CONTROL_TOPIC = '__millrace_epochs';

const config = {
  'cleanup.policy': 'compact',
  // The smallest that Kafka takes; what is compacted are closed segments.
  'segment.bytes': 1024 * 1024,
  // Transactions' ends take a place of their own, and stay for so long after their records have gone.
  'delete.retention.ms': 60_000,
} satisfies Partial<TopicConfig>;

const declared: DeclaredTopic = { name: CONTROL_TOPIC, partitions: 1, config };

/** Makes it if need be. MR_CONTROL_TOPIC where it would lose markers, or they would be looked for in the wrong partition. */
export async function ensureControlTopic(ensureTopic: TopicLog['ensureTopic']): Promise<void> {
  const found = await ensureTopic(declared);
  if (found.partitions !== 1)
    throw new MillraceError('MR_CONTROL_TOPIC', [CONTROL_TOPIC, `${found.partitions} partitions`, '1']);
  const policy = found.config['cleanup.policy'];
  if (policy !== undefined && policy !== 'compact')
    throw new MillraceError('MR_CONTROL_TOPIC', [CONTROL_TOPIC, `cleanup.policy=${policy}`, 'compact']);
}
