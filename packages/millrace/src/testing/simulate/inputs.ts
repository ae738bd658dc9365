/** What comes in and when: the records of the feeds, with what the faults do to them, and the producer that writes them. */
import type { Log, Producer } from '@millrace/broker';
import type { Timers } from '../../runtime/runtime.ts';
import type { Fault } from './faults.ts';
import type { Feed, Given } from './options.ts';
import type { TimedValue, Written } from './outcome.ts';
import type { Process } from './process.ts';

/** One value that is to come in. */
export interface Arrival extends TimedValue {
  /** Milliseconds after the start. */
  readonly at: number;
  /** In front of it comes a record that nobody can read. */
  readonly poison: boolean;
}

/** In the order in which they come. Without a time of arrival of its own a value comes at its event time. */
export function arrivalsOf({ records, name }: Feed, faults: readonly Fault[], start: number): readonly Arrival[] {
  const all = records.map(([value, time, at = Math.max(0, time - start)]: Given<unknown>) => ({
    value,
    time,
    at,
    poison: false,
  }));
  for (const fault of faults) {
    if (fault.kind !== 'doubled' && fault.kind !== 'late' && fault.kind !== 'poison') continue;
    const index = all.findIndex(({ at }) => at >= fault.at);
    const hit = all[index];
    if (hit === undefined) continue;
    if (fault.kind === 'poison') all[index] = { ...hit, poison: true };
    else if (fault.kind === 'late') all[index] = { ...hit, at: hit.at + fault.by };
    else all.splice(index, 0, hit);
  }
  if (all.some(({ at }) => !Number.isFinite(at))) throw new TypeError(`the inputs of '${name}' need times`);
  return all.sort((a, b) => a.at - b.at);
}

/** A record as it is sent. Without a partition, the log's partitioner chooses. */
export interface Outgoing extends Omit<Written, 'partition'> {
  readonly partition: number | undefined;
}

/** No codec of text or JSON takes it. */
const POISON = Uint8Array.of(0xff, 0xfe, 0x00, 0x7b);
const utf8 = new TextEncoder();

/** The arrivals of a topic as records. */
export function outgoing(feed: Feed, arrivals: readonly Arrival[]): readonly Outgoing[] {
  const topic = feed.topic!;
  return arrivals.flatMap(({ value, time, at, poison }) => {
    const key = topic.key?.(value as never) ?? null;
    const record = {
      partition: undefined,
      key: typeof key === 'string' ? utf8.encode(key) : key,
      value: topic.value.encode(value as never),
      timestamp: Math.floor(topic.time?.(value as never) ?? time),
      at,
    };
    return poison ? [{ ...record, value: POISON }, record] : [record];
  });
}

const INDEX = 'simulated';

export interface WriterOptions {
  readonly feed: Feed;
  readonly records: readonly Outgoing[];
  readonly timers: Timers;
  /** The log will not take anything any more. */
  readonly onStopped: () => void;
}

/**
 * The producer of one topic. It stands outside of the machine, sends a burst once the one before is acknowledged, and
 * after a crash looks what has arrived before it sends the rest: nothing that it sends is lost or doubled by itself.
 */
export class TopicWriter {
  readonly #options: WriterOptions;
  /** Come and not acknowledged: indexes of records, in order. */
  #waiting: number[] = [];
  #sending = false;
  #come = 0;
  #log: Log | undefined;
  #host: Process | undefined;
  #producer: Producer | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    const { records, timers } = options;
    records.forEach(({ at }, index) => {
      timers.after(at, () => {
        this.#come++;
        this.#waiting.push(index);
        this.#send();
      });
    });
  }

  /** All has come and is acknowledged. */
  get isDone(): boolean {
    return this.#come === this.#options.records.length && this.#waiting.length === 0;
  }

  /** A log is there; it may be a new one, over what the last one left. */
  connect(log: Log, host: Process): void {
    this.#log = log;
    this.#host = host;
    this.#producer = undefined;
    this.#sending = false;
    this.#send();
  }

  disconnect(): void {
    this.#host = undefined;
  }

  #send(): void {
    const host = this.#host;
    if (host === undefined || this.#sending || this.#waiting.length === 0) return;
    this.#sending = true;
    const burst = [...this.#waiting];
    host.enter(() => {
      this.#write(this.#log!, burst).then(
        (arrived) => this.#answered(host, arrived),
        (thrown: unknown) => this.#refused(host, thrown),
      );
    });
  }

  #answered(host: Process, arrived: ReadonlySet<number>): void {
    if (this.#host !== host || host.state === 'dead') return;
    this.#waiting = this.#waiting.filter((index) => !arrived.has(index));
    this.#sending = false;
    this.#send();
  }

  /** A full disk, say: it looks again a little later what has arrived. */
  #refused(host: Process, thrown: unknown): void {
    const { timers, onStopped } = this.#options;
    const { code, retriable } = thrown as { readonly code?: unknown; readonly retriable?: unknown };
    const isFinal = code === 'KAFKA_STORAGE_ERROR' && retriable === false;
    timers.after(100, () => {
      if (this.#host !== host || host.state === 'dead') return;
      if (isFinal) return onStopped();
      this.#producer = undefined;
      this.#sending = false;
      this.#send();
    });
  }

  /** The indexes that are safe in the log afterwards. */
  async #write(log: Log, burst: readonly number[]): Promise<ReadonlySet<number>> {
    const { feed, records } = this.#options;
    const { name, partitions = 1, config = {} } = feed.topic!;
    const arrived = new Set<number>();
    if (this.#producer === undefined) {
      if (!log.topics().includes(name)) await log.createTopic(name, { partitions, config });
      for (const { index } of readTopic(log, name)) if (index !== undefined) arrived.add(index);
      this.#producer = log.producer();
    }
    const sends = burst
      .filter((index) => !arrived.has(index))
      .map((index) => {
        const { partition, key, value, timestamp } = records[index]!;
        const headers = [{ key: INDEX, value: utf8.encode(String(index)) }];
        return this.#producer!.send({
          topic: name,
          ...(partition === undefined ? {} : { partition }),
          key,
          value,
          timestamp,
          headers,
        });
      });
    for (const sent of await Promise.allSettled(sends)) if (sent.status === 'rejected') throw sent.reason;
    return new Set(burst);
  }
}

/** Every committed record of a topic, partition by partition; none of one that is not there. `index`: of what was fed. */
export function* readTopic(
  log: Log,
  topic: string,
): Generator<{
  readonly index: number | undefined;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
}> {
  if (!log.topics().includes(topic)) return;
  for (const { partition, earliest, latest } of log.describeTopic(topic).partitions) {
    for (let at = earliest; at < latest; ) {
      const { records, nextOffset } = log.read(topic, partition, at);
      at = nextOffset;
      for (const { key, value, timestamp, headers } of records) {
        const header = headers.find((one) => one.key === INDEX)?.value;
        const index = header ? Number(Buffer.from(header).toString()) : undefined;
        yield { index, partition, key: key && Uint8Array.from(key), value: value && Uint8Array.from(value), timestamp };
      }
    }
  }
}
