/**
 * `topicSink`: values as records of a topic. With exactly-once an epoch's records are published in one transaction
 * (topic-epochs.ts). Without, a write ends when its records are durable in the log, and what is replayed is added again. A
 * batch waits a millisecond at most, since whoever reads the topic waits for it, too; it need not wait longer to be
 * worth its fsync, because values that come while one batch is being written make up the next.
 */
import { shown } from '../codec/shown.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { Sink, Takes } from '../topology/sink.ts';
import { sink } from '../topology/sink.ts';
import { declare } from './declare.ts';
import type { Topic } from './topic.ts';
import { TopicEpochs } from './topic-epochs.ts';
import type { NewRecord } from './topic-log.ts';
import { topicLog } from './topic-log.ts';

export function topicSink<T>(topic: Topic<T>): Sink<Takes<T>> {
  return sink<T, NewRecord>({
    mode: 'transactional',
    batch: { size: 1000, every: '1ms' },
    into: { topic: topic.name },
    epochs: {
      prepare: (value, time) => acceptable(topic, recordOf(topic, value, time), value),
      open: async (task) => {
        await declare(task, topic);
        return new TopicEpochs(task, topic.name);
      },
    },
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

const KAFKA_DEFAULT_BYTES = 1_048_588;
/** What a record and its batch take besides key and value, at most. */
const RECORD_OVERHEAD = 110;

/**
 * What the log would refuse when its epoch is published is refused here, where it concerns one value. What an existing topic
 * takes is known to nobody here, so what is declared counts.
 */
function acceptable<T>({ name, config = {} }: Topic<T>, record: NewRecord, value: T): NewRecord {
  const { 'max.message.bytes': most = KAFKA_DEFAULT_BYTES, 'cleanup.policy': policy = 'delete' } = config;
  const bytes = RECORD_OVERHEAD + (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  if (bytes > most) {
    const why = `as a record it has about ${bytes} bytes, and the topic is declared to take ${most} (max.message.bytes)`;
    throw new MillraceError('MR_TOPIC_VALUE', [name, shown(value), why]);
  }
  if (record.key !== null || policy === 'delete') return record;
  throw new MillraceError('MR_TOPIC_KEY', [name, 'null, and the topic is compacted', shown(value)]);
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
