/** Topics as consumers with read_committed find them: through our client, and through kcat where there is one. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { realRuntime } from '../../packages/millrace/src/runtime/real.ts';
import { kafkaTopicLog } from '../../packages/millrace/src/topic/kafka.ts';
import type { PartitionReader, TopicLog } from '../../packages/millrace/src/topic/topic-log.ts';

interface Partition {
  readonly reader: PartitionReader;
  readonly records: { readonly offset: number; readonly text: string; readonly value: unknown }[];
  next: number;
}

export class Reading {
  readonly #log: TopicLog;
  readonly #topics = new Map<string, readonly Partition[]>();

  private constructor(bootstrap: string) {
    this.#log = kafkaTopicLog({
      brokers: [bootstrap],
      clientId: 'reading',
      runtime: realRuntime(),
      log: () => {},
    });
  }

  static async open(bootstrap: string, topics: readonly string[]): Promise<Reading> {
    const reading = new Reading(bootstrap);
    for (const topic of topics) {
      const { partitions } = await reading.#log.ensureTopic({ name: topic });
      const read = (partition: number): Partition => {
        return { reader: reading.#log.read(topic, partition, 0, () => {}), records: [], next: 0 };
      };
      reading.#topics.set(
        topic,
        Array.from({ length: partitions }, (_, partition) => read(partition)),
      );
    }
    return reading;
  }

  /** What has come so far. */
  topic(name: string): readonly unknown[] {
    for (const partition of this.#of(name)) this.#take(name, partition);
    return this.#of(name).flatMap(({ records }) => records.map(({ value }) => value));
  }

  /** Waits for everything that can be read at this moment. */
  async all(name: string): Promise<void> {
    const ends = await this.#log.offsets(name, 'latest');
    for (const [at, partition] of this.#of(name).entries()) {
      for (this.#take(name, partition); partition.next < ends[at]!; this.#take(name, partition)) await pause(5);
    }
  }

  /** `partition offset value` of each record. */
  lines(name: string): readonly string[] {
    return this.#of(name).flatMap(({ records }, at) => records.map(({ offset, text }) => `${at} ${offset} ${text}`));
  }

  async close(): Promise<void> {
    for (const partitions of this.#topics.values()) for (const { reader } of partitions) reader.close();
    await this.#log.close();
  }

  #of(name: string): readonly Partition[] {
    return this.#topics.get(name) ?? [];
  }

  #take(name: string, partition: Partition): void {
    for (;;) {
      const taken = partition.reader.take();
      assert.ok(taken.outOfRange === undefined, `${name}: ${JSON.stringify(taken.outOfRange)}`);
      const before = partition.next;
      partition.next = taken.next;
      for (const { offset, value } of taken.records) {
        const text = Buffer.from(value!).toString();
        partition.records.push({ offset, text, value: JSON.parse(text) });
      }
      if (taken.records.length === 0 && taken.next === before) return;
    }
  }
}

/** Undefined where there is no kcat. */
export async function readByKcat(bootstrap: string, topic: string): Promise<readonly string[] | undefined> {
  if (spawnSync('kcat', ['-V']).error) return undefined;
  const readCommitted = ['-X', 'isolation.level=read_committed'];
  const args = [
    '-b',
    bootstrap,
    '-q',
    '-C',
    '-t',
    topic,
    '-o',
    'beginning',
    '-e',
    '-f',
    '%p %o %s\n',
    ...readCommitted,
  ];
  const { stdout } = await promisify(execFile)('kcat', args, { maxBuffer: 1 << 30, timeout: 60_000 });
  return stdout.split('\n').slice(0, -1);
}
