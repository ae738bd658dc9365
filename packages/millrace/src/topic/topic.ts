/** `topic(name, settings)`: a topic as a plain value, taken by spouts, sinks and tests. Making one opens nothing. */
import type { TopicConfig } from '@millrace/broker';
import type { Codec } from '../codec/codec.ts';
import { MillraceError } from '../errors.ts';

export interface TopicSettings<T> {
  /** How its values become bytes: json(schema), string, bytes, or your own. */
  readonly value: Codec<T>;
  /**
   * The record's key, of which equal ones go to one partition. Text is written as UTF-8. Without `key`, or for null and
   * undefined, records have no key and are spread over the partitions.
   */
  readonly key?: (value: T) => string | Uint8Array | null | undefined;
  /** The record's timestamp, event time in milliseconds since 1970. Without it, the time of the tuple that was written. */
  readonly time?: (value: T) => number;
  /** Partitions that the topic is made with, 1 by default. An existing topic keeps those it has. */
  readonly partitions?: number;
  /** Settings that the topic is made with, by Kafka's names. An existing topic keeps those it has. */
  readonly config?: Partial<TopicConfig>;
}

export interface Topic<T> extends TopicSettings<T> {
  readonly name: string;
}

/** As in Kafka: 1 to 249 of these characters, and neither '.' nor '..', because a partition is a folder. */
const LEGAL = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
const MOST_PARTITIONS = 10_000;

export function topic<T>(name: string, settings: TopicSettings<T>): Topic<T> {
  if (typeof name !== 'string' || !LEGAL.test(name)) throw new MillraceError('MR_TOPIC_NAME', [String(name)]);
  const { partitions } = settings;
  if (partitions !== undefined && !(Number.isInteger(partitions) && partitions >= 1 && partitions <= MOST_PARTITIONS)) {
    const want = `an integer from 1 to ${MOST_PARTITIONS}`;
    throw new MillraceError('MR_OPTION', [name, 'partitions', partitions, want]);
  }
  return { ...settings, name };
}
