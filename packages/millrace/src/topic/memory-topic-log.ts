/**
 * Test support: the seam of topic-log.ts in memory. `asynchronous` makes it behave as a log behind a network will: a
 * reader has nothing until an answer to a question asked earlier has come in.
 */
import { CONTROL_TOPIC, ensureControlTopic } from './control-topic.ts';
import type { DeclaredTopic, NewRecord, PartitionReader, Taken, TopicLog, TopicRecord } from './topic-log.ts';
import { TransactionFenced } from './topic-log.ts';

interface StoredPartition {
  earliest: number;
  latest: number;
  records: TopicRecord[];
  readonly listeners: Set<() => void>;
}

export interface MemoryTopicLog extends TopicLog {
  /** As retention does: the records before this offset are gone. */
  trim(topic: string, partition: number, before: number): void;
  /** As a power cut without fsync does: the records from this offset on are gone. */
  cut(topic: string, partition: number, from: number): void;
  /** Everything in a topic, by partition. */
  records(topic: string): readonly (readonly TopicRecord[])[];
  /** The next `produce` or `publish` fails with this: nothing of it is there, or, when only the `answer` fails, all of it. */
  failNext(error: Error, what?: 'call' | 'answer'): void;
}

/** Records that a reader gives at once. */
const CHUNK = 100;

export function memoryTopicLog(options: { readonly asynchronous?: boolean } = {}): MemoryTopicLog {
  const { asynchronous = false } = options;
  const topics = new Map<string, { declared: DeclaredTopic; partitions: StoredPartition[] }>();
  const groups = new Map<string, Map<number, number>>();
  const holders = new Map<string, object>();
  let failure: { readonly error: Error; readonly what: 'call' | 'answer' } | undefined;
  let turn = 0;

  const partitionsOf = (topic: string) => {
    const found = topics.get(topic);
    if (!found) throw new Error(`there is no topic '${topic}'`);
    return found.partitions;
  };
  const append = (topic: string, { key, value, timestamp, headers = [] }: NewRecord) => {
    const partitions = partitionsOf(topic);
    const partition =
      partitions[key ? key.reduce((sum, byte) => sum + byte, 0) % partitions.length : turn++ % partitions.length]!;
    partition.records.push({ offset: partition.latest++, timestamp, key, value, headers });
    for (const listener of partition.listeners) listener();
  };

  const ensureTopic: TopicLog['ensureTopic'] = async (declared) => {
    if (!topics.has(declared.name)) {
      const make = (): StoredPartition => ({ earliest: 0, latest: 0, records: [], listeners: new Set() });
      topics.set(declared.name, { declared, partitions: Array.from({ length: declared.partitions ?? 1 }, make) });
    }
    const { declared: first, partitions } = topics.get(declared.name)!;
    return { partitions: partitions.length, config: first.config ?? {} };
  };
  /** Takes the bytes now and answers later, as a log does, with views into a chunk. */
  const appendAll = async (records: readonly (readonly [topic: string, NewRecord])[], isAllowed = () => {}) => {
    const taken = records.map(
      ([topic, record]) => [topic, { ...record, value: record.value && inChunk(record.value) }] as const,
    );
    for (let turns = 0; turns < 8; turns++) await undefined;
    isAllowed();
    const failed = failure;
    failure = undefined;
    if (failed?.what === 'call') throw failed.error;
    for (const [topic] of taken) partitionsOf(topic);
    for (const [topic, record] of taken) append(topic, record);
    if (failed) throw failed.error;
  };

  return {
    ensureTopic,
    async offsets(topic, at) {
      return partitionsOf(topic).map(({ earliest, latest, records }) => {
        if (at === 'earliest') return earliest;
        if (at === 'latest') return latest;
        return records.find(({ timestamp }) => timestamp >= at.time)?.offset ?? latest;
      });
    },
    read(topic, partition, from, arrived) {
      const stored = partitionsOf(topic)[partition]!;
      return asynchronous ? prefetching(stored, from, arrived) : direct(stored, from, arrived);
    },
    produce: (topic, records) => appendAll(records.map((record) => [topic, record])),
    transactions(id) {
      const key = new TextEncoder().encode(id);
      const own = {};
      return {
        async claim() {
          await ensureControlTopic(ensureTopic);
          holders.set(id, own);
          const last = partitionsOf(CONTROL_TOPIC)[0]!.records.findLast((r) => r.key && isEqual(r.key, key));
          return last?.value ?? undefined;
        },
        publish: (topic, records, value) => {
          const marker: NewRecord = { key, value, timestamp: 0 };
          const all = [...records.map((record) => [topic, record] as const), [CONTROL_TOPIC, marker] as const];
          return appendAll(all, () => {
            if (holders.get(id) !== own) throw new TransactionFenced(`somebody else has taken '${id}'`);
          });
        },
      };
    },
    async commit(group, topic, offsets) {
      const id = JSON.stringify([group, topic]);
      groups.set(id, new Map([...(groups.get(id) ?? []), ...offsets]));
    },
    committed: async (group, topic) => groups.get(JSON.stringify([group, topic])) ?? new Map(),
    async close() {},
    trim(topic, partition, before) {
      const stored = partitionsOf(topic)[partition]!;
      stored.earliest = before;
      stored.records = stored.records.filter(({ offset }) => offset >= before);
    },
    cut(topic, partition, from) {
      const stored = partitionsOf(topic)[partition]!;
      stored.latest = from;
      stored.records = stored.records.filter(({ offset }) => offset < from);
    },
    records: (topic) => partitionsOf(topic).map(({ records }) => records),
    failNext(error, what = 'call') {
      failure = { error, what };
    },
  };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function inChunk(bytes: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(bytes.byteLength + 100);
  chunk.set(bytes, 50);
  return chunk.subarray(50, 50 + bytes.byteLength);
}

function chunkAt({ earliest, latest, records }: StoredPartition, at: number): Taken {
  if (at < earliest || at > latest) return { outOfRange: { offset: at, earliest, latest } };
  const chunk = records.slice(at - earliest, at - earliest + CHUNK);
  return { records: chunk, next: at + chunk.length };
}

function direct(stored: StoredPartition, from: number, arrived: () => void): PartitionReader {
  let at = from;
  stored.listeners.add(arrived);
  return {
    take() {
      const taken = chunkAt(stored, at);
      if (!taken.outOfRange) at = taken.next;
      return taken;
    },
    seek(offset) {
      at = offset;
    },
    pause() {},
    resume() {},
    close: () => void stored.listeners.delete(arrived),
  };
}

/** Keeps one chunk ahead; asks for the next when that one is taken. */
function prefetching(stored: StoredPartition, from: number, arrived: () => void): PartitionReader {
  let at = from;
  let ahead: Taken | undefined;
  let paused = false;
  let question = 0;
  const ask = () => {
    const asked = ++question;
    setImmediate(() => {
      if (asked !== question || ahead || paused) return;
      const taken = chunkAt(stored, at);
      if (!taken.outOfRange && taken.records.length === 0) return;
      ahead = taken;
      arrived();
    });
  };
  const appended = () => {
    if (!ahead) ask();
  };
  stored.listeners.add(appended);
  ask();
  return {
    take() {
      const taken = ahead ?? { records: [], next: at };
      ahead = undefined;
      if (!taken.outOfRange) at = taken.next;
      ask();
      return taken;
    },
    seek(offset) {
      at = offset;
      ahead = undefined;
      ask();
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      ask();
    },
    close: () => void stored.listeners.delete(appended),
  };
}
