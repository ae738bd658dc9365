/**
 * `topicSink`: values as records of a topic. A write ends when its records are durable in the log.
 *
 * It is an `append` sink: what is replayed is added again. It becomes transactional with checkpoints (design law 5).
 * A batch waits a millisecond at most, since whoever reads the topic waits for it, too; it need not wait longer to be
 * worth its fsync, because values that come while one batch is being written make up the next.
 */
import { shown } from '../codec/shown.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { Sink, Takes } from '../topology/sink.ts';
import { sink } from '../topology/sink.ts';
import { declare } from './declare.ts';
import type { Topic } from './topic.ts';
import type { NewRecord } from './topic-log.ts';
import { topicLog } from './topic-log.ts';

export function topicSink<T>(topic: Topic<T>): Sink<Takes<T>> {
  return sink<T>({
    mode: 'append',
    batch: { size: 1000, every: '1ms' },
    open: async (task) => {
      await declare(task, topic);
      const log = task.use(topicLog);
      return {
        // All values are encoded before the first is sent: a refused one leaves nothing half written.
        write: async (values, times) =>
          log.produce(
            topic.name,
            values.map((value, i) => recordOf(topic, value, times[i]!)),
          ),
      };
    },
  });
}

function recordOf<T>(topic: Topic<T>, value: T, time: number): NewRecord {
  return {
    key: keyOf(topic, value),
    value: encoded(topic, value),
    timestamp: timestampOf(topic, value, topic.time ? topic.time(value) : time),
  };
}

const utf8 = new TextEncoder();

function keyOf<T>(topic: Topic<T>, value: T): Uint8Array | null {
  const key = topic.key?.(value) ?? null;
  if (typeof key === 'string') return utf8.encode(key);
  if (key === null || key instanceof Uint8Array) return key;
  throw new MillraceError('MR_TOPIC_KEY', [topic.name, shown(key), shown(value)]);
}

function encoded<T>(topic: Topic<T>, value: T): Uint8Array {
  try {
    return topic.value.encode(value);
  } catch (thrown) {
    throw new MillraceError('MR_TOPIC_VALUE', [topic.name, shown(value), messageOf(thrown)], thrown);
  }
}

function timestampOf<T>(topic: Topic<T>, value: T, time: number): number {
  if (Number.isFinite(time) && time >= 0) return Math.floor(time);
  throw new MillraceError('MR_TOPIC_TIME', [topic.name, String(time), shown(value)]);
}
