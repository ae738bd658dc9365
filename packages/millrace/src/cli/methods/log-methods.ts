/** Topics and their records, over the log that this process has open. */
import type { Log, LogRecord, Producer, ProducerRecord, TopicConfig } from '@millrace/broker';
import { MillraceError } from '../../errors.ts';
import { CONTROL_TOPIC } from '../../topic/control-topic.ts';
import type { ConsumedRecord, From, Methods, TopicDetails } from '../api.ts';
import { fromBase64, toBase64 } from '../api.ts';
import { consume } from './consume.ts';
import type { Params } from './params.ts';
import { isCount, readParams, wrong } from './params.ts';

type LogMethod =
  | 'topics.list'
  | 'topics.describe'
  | 'topics.create'
  | 'topics.alter'
  | 'topics.delete'
  | 'produce'
  | 'consume';

export function logMethods(log: Log): Methods<LogMethod> {
  let producer: Producer | undefined;
  return {
    // Like the broker's own, the control topic is nobody's to look through; who names it is told of it.
    'topics.list': () =>
      log
        .topics()
        .filter((topic) => topic !== CONTROL_TOPIC)
        .map((topic) => {
          const { partitions } = log.describeTopic(topic);
          return {
            topic,
            partitions: partitions.length,
            records: partitions.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0),
            bytes: partitions.reduce((sum, { bytes }) => sum + bytes, 0),
          };
        }),
    'topics.describe': (params) => {
      const read = readParams(params);
      return details(log, read.text('topic'), read.optionalText('group'));
    },
    async 'topics.create'(params) {
      const read = readParams(params);
      const topic = read.text('topic');
      await log.createTopic(topic, { partitions: read.optionalCount('partitions') ?? 1, config: configOf(read) });
      return details(log, topic);
    },
    async 'topics.alter'(params) {
      const read = readParams(params);
      const topic = read.text('topic');
      await log.alterTopic(topic, configOf(read));
      return details(log, topic);
    },
    async 'topics.delete'(params) {
      await log.deleteTopic(readParams(params).text('topic'));
      return null;
    },
    async produce(params) {
      const read = readParams(params);
      const topic = read.text('topic');
      const records = read.raw('records');
      if (!Array.isArray(records)) throw wrong("'records' must be a list");
      const ready = records.map((record) => recordOf(topic, record));
      producer ??= log.producer();
      await producer.ready();
      const sent = await Promise.allSettled(ready.map((record) => producer!.send(record)));
      return sent.map((one) => {
        if (one.status === 'rejected') throw one.reason;
        return { partition: one.value.partition, offset: one.value.offset };
      });
    },
    consume(params, { item, signal }) {
      const read = readParams(params);
      const partition = read.optionalCount('partition');
      const max = read.optionalCount('max');
      const wanted = {
        topic: read.text('topic'),
        from: fromOf(read),
        follow: read.flag('follow'),
        ...(partition === undefined ? {} : { partition }),
        ...(max === undefined ? {} : { max }),
      };
      return consume(log, wanted, (record, at) => item(dataOf(record, at)), signal);
    },
  };
}

/** What answers beside a topology whose topics are at brokers: its data directory has none of them. */
export function topicsElsewhere(brokers: readonly string[]): Methods<LogMethod> {
  const refuse = (): never => {
    throw new MillraceError('MR_TOPICS_ELSEWHERE', [brokers.join(', ')]);
  };
  return {
    'topics.list': refuse,
    'topics.describe': refuse,
    'topics.create': refuse,
    'topics.alter': refuse,
    'topics.delete': refuse,
    produce: refuse,
    consume: refuse,
  };
}

function details(log: Log, name: string, group?: string): TopicDetails {
  const { id, config, partitions } = log.describeTopic(name);
  const groups = group === undefined ? log.groups() : [group];
  return {
    topic: name,
    id,
    config,
    partitions: partitions.map(({ error, ...partition }) => ({
      ...partition,
      ...(error ? { error: error.message } : {}),
    })),
    groups: groups
      .map((of) => ({
        group: of,
        lag: log
          .lag(of)
          .filter(({ topic }) => topic === name)
          .map(({ topic: _, ...lag }) => lag),
      }))
      .filter(({ lag }) => lag.length > 0),
  };
}

/** The log itself checks names and values: it knows Kafka's settings. */
function configOf(read: Params): Partial<TopicConfig> {
  const config = read.raw('config') ?? {};
  if (typeof config !== 'object') throw wrong("'config' must be an object");
  return config;
}

function recordOf(topic: string, record: unknown): ProducerRecord {
  const read = readParams(record);
  const bytes = (name: 'key' | 'value') => (read.raw(name) === null ? null : fromBase64(read.text(name)));
  const headers = read.raw('headers') ?? [];
  if (!Array.isArray(headers)) throw wrong("'headers' must be a list of pairs");
  const partition = read.optionalCount('partition');
  return {
    topic,
    key: bytes('key'),
    value: bytes('value'),
    headers: headers.map(([key, value]: [string, string | null]) => ({ key, value: fromBase64(value) })),
    ...(partition === undefined ? {} : { partition }),
  };
}

function dataOf({ offset, timestamp, key, value, headers }: LogRecord, partition: number): ConsumedRecord {
  return {
    partition,
    offset,
    timestamp,
    key: toBase64(key),
    value: toBase64(value),
    headers: headers.map((header) => [header.key, toBase64(header.value)]),
  };
}

function fromOf(read: Params): From {
  const from = read.raw('from') ?? 'earliest';
  if (from === 'earliest' || from === 'latest') return from;
  const { offset, time } = from as { readonly offset?: unknown; readonly time?: unknown };
  if (isCount(offset)) return { offset };
  if (isCount(time)) return { time };
  throw wrong("'from' must be 'earliest', 'latest', an offset or a time");
}
