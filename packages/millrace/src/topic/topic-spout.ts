/**
 * `topicSpout`: a topic as a log spout. Its splits are the topic's partitions, a record's position is its offset, and
 * what is done is committed to the consumer group, so that the next start goes on there.
 */
import { MillraceError, messageOf } from '../errors.ts';
import { type } from '../topology/schema.ts';
import type { LogReader, LogTask, Position, Spout } from '../topology/spout.ts';
import { logSpout } from '../topology/spout.ts';
import type { Stream } from '../topology/stream.ts';
import { declare } from './declare.ts';
import type { Topic } from './topic.ts';
import type { PartitionReader, StartFrom, TopicLog, TopicRecord } from './topic-log.ts';
import { topicLog } from './topic-log.ts';

export interface TopicSpoutOptions {
  /** The consumer group whose committed offsets say where to go on. */
  readonly group: string;
  /** Where a partition starts for which the group has committed nothing: 'earliest' (default), 'latest', or a time in ms. */
  readonly from?: StartFrom;
}

/** Emits each value with its record's timestamp. A record without a value, or one its codec refuses, goes to the ledger. */
export function topicSpout<T>(topic: Topic<T>, options: TopicSpoutOptions): Spout<Stream<T>> {
  const { group, from = 'earliest' } = options;
  if (typeof group !== 'string' || group === '')
    throw new MillraceError('MR_OPTION', [topic.name, 'group', group, 'the name of a consumer group']);
  if (from !== 'earliest' && from !== 'latest' && !Number.isFinite(from?.time))
    throw new MillraceError('MR_OPTION', [
      topic.name,
      'from',
      from,
      "'earliest', 'latest' or { time } in milliseconds",
    ]);
  return logSpout<T>({
    emits: type<T>(),
    splits: async (task) => Array.from({ length: await declare(task, topic) }, (_, p) => splitOf(topic.name, p)),
    open: async (task) => {
      const log = task.use(topicLog);
      const starts = await startOffsets(log, topic.name, group, from, task.splits.map(partitionOf));
      return new TopicReader(task, log, topic, group, starts);
    },
    decode: (payload) => topic.value.decode(payload),
  });
}

/** As Kafka writes a partition of a topic. */
function splitOf(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

function partitionOf(split: string): number {
  return Number(split.slice(split.lastIndexOf('-') + 1));
}

/**
 * Where each partition starts when nobody says otherwise. Where a first start begins is committed at once unless it is
 * the beginning: else a crash before the first commit would start at a later `latest`, and skip what came between.
 */
async function startOffsets(
  log: TopicLog,
  topic: string,
  group: string,
  from: StartFrom,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const committed = await log.committed(group, topic);
  const without = partitions.filter((partition) => !committed.has(partition));
  if (without.length === 0) return committed;
  const offsets = await log.offsets(topic, from);
  const first = new Map(without.map((partition) => [partition, offsets[partition] ?? 0]));
  if (from !== 'earliest') await log.commit(group, topic, first);
  return new Map([...committed, ...first]);
}

/** One partition of a reader: what was taken from the log, and how much of it has been given on. */
interface Partition {
  readonly number: number;
  readonly split: string;
  readonly reader: PartitionReader;
  records: readonly TopicRecord[];
  at: number;
  /** The offset after `records`. */
  next: number;
  paused: boolean;
}

const NONE: readonly TopicRecord[] = [];
/** Records that one partition gives before the next one has its turn, so that none runs far ahead of the others. */
const TURN = 64;

class TopicReader<T> implements LogReader {
  readonly #task: LogTask<T>;
  readonly #log: TopicLog;
  readonly #topic: Topic<T>;
  readonly #group: string;
  readonly #starts: ReadonlyMap<number, number>;
  readonly #partitions: Partition[] = [];
  #turn = 0;
  /** Records that retention took before they were read. */
  #skipped = 0;

  constructor(task: LogTask<T>, log: TopicLog, topic: Topic<T>, group: string, starts: ReadonlyMap<number, number>) {
    this.#task = task;
    this.#log = log;
    this.#topic = topic;
    this.#group = group;
    this.#starts = starts;
  }

  seek(split: string, position: Position | undefined): Position {
    const number = partitionOf(split);
    const from = position ?? this.#starts.get(number) ?? 0;
    const reader = this.#log.read(this.#topic.name, number, from, this.#task.wake);
    this.#partitions.push({ number, split, reader, records: NONE, at: 0, next: from, paused: false });
    return from;
  }

  pause(split: string): void {
    const partition = this.#find(split);
    partition.paused = true;
    partition.reader.pause();
  }

  resume(split: string): void {
    const partition = this.#find(split);
    partition.paused = false;
    partition.reader.resume();
    this.#task.wake();
  }

  next(max: number): boolean {
    const all = this.#partitions.length;
    let left = max;
    for (let empty = 0; left > 0; ) {
      if (empty === all) return false;
      const given = this.#give(this.#partitions[this.#turn]!, Math.min(left, TURN));
      this.#turn = (this.#turn + 1) % all;
      left -= given;
      empty = given === 0 ? empty + 1 : 0;
    }
    return true;
  }

  async commit(positions: ReadonlyMap<string, Position>): Promise<void> {
    if (positions.size === 0) return;
    const offsets = new Map([...positions].map(([split, position]) => [partitionOf(split), position]));
    await this.#log.commit(this.#group, this.#topic.name, offsets);
  }

  close(): void {
    for (const { reader } of this.#partitions) reader.close();
  }

  #find(split: string): Partition {
    return this.#partitions.find((partition) => partition.split === split)!;
  }

  /** Gives up to `most` records of one partition; how many it gave. */
  #give(partition: Partition, most: number): number {
    if (partition.paused) return 0;
    if (partition.at === partition.records.length) this.#take(partition);
    const { records, at, split } = partition;
    const codec = this.#topic.value;
    const end = Math.min(records.length, at + most);
    for (let i = at; i < end; i++) {
      const { offset, value: bytes, timestamp } = records[i]!;
      const next = i + 1 < records.length ? offset + 1 : partition.next;
      partition.at = i + 1;
      if (bytes === null) {
        this.#task.reject(split, offset, next, { cause: 'null', detail: 'the record has no value', payload: null });
        continue;
      }
      let value: T;
      try {
        value = codec.decode(bytes);
      } catch (thrown) {
        // A copy: the ledger must not keep the whole chunk that the record was read with.
        const why = { cause: 'malformed', detail: messageOf(thrown), payload: bytes.slice() } as const;
        this.#task.reject(split, offset, next, why);
        continue;
      }
      this.#task.emit(split, offset, next, value, timestamp);
    }
    return end - at;
  }

  #take(partition: Partition): void {
    let taken = partition.reader.take();
    while (taken.outOfRange) {
      partition.reader.seek(this.#nearest(partition, taken.outOfRange));
      taken = partition.reader.take();
    }
    partition.records = taken.records;
    partition.next = taken.next;
    partition.at = 0;
  }

  /** Says in the log that the offset to read is not there, and gives the one to go on from. */
  #nearest({ number }: Partition, range: { offset: number; earliest: number; latest: number }): number {
    const { offset, earliest, latest } = range;
    const where = `topic '${this.#topic.name}' partition ${number}: offset ${offset}`;
    if (offset > latest) {
      this.#task.log(`${where} is beyond the end ${latest}: the log is shorter than it was; going on at ${latest}`);
      return latest;
    }
    this.#skipped += earliest - offset;
    this.#task.log(
      `${where} is gone, retention has passed it: ${earliest - offset} records are skipped (${this.#skipped} in all since the start); going on at ${earliest}`,
    );
    return earliest;
  }
}
