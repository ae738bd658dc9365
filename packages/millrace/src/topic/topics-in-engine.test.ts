/** Topics through the real engine, over the real log on disk. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Log, openLog } from '@millrace/broker';
import type { Running } from '../engine/running.ts';
import { startTopology } from '../engine/start.ts';
import { topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { realRuntime } from '../runtime/real.ts';
import { embeddedTopicLog, json, topic, topicLog, topicSink, topicSpout } from '../topic.ts';
import type { Guarantee } from '../topology/receipt.ts';

interface Reading {
  readonly device: string;
  readonly n: number;
}
const input = topic('in', { value: json(type<Reading>()), key: (r: Reading) => r.device, partitions: 4 });
const output = topic('out', { value: json(type<Reading>()), key: (r: Reading) => r.device, partitions: 2 });

/** `broken` makes the bolt hold back what it is given from that number on. */
const copy = (broken = Number.POSITIVE_INFINITY) =>
  topology('copy', (t) => {
    const readings = t.spout('readings', topicSpout(input, { group: 'copiers' }), { parallelism: 2 });
    const fine = t.bolt(
      'check',
      readings.fields('device'),
      (r) => {
        if (r.n >= broken) throw new Error('not yet');
        return { ...r, n: r.n * 10 };
      },
      { parallelism: 2, onError: { backoff: '20ms', retries: 1000 } },
    );
    t.sink('copies', fine.shuffle(), topicSink(output));
  });

async function withDirectory(run: (directory: string) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-engine-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function start(log: Log, broken?: number, guarantee: Guarantee = 'at-least-once') {
  const ledger = memoryLedger();
  const running = await startTopology(copy(broken).build(), {
    runtime: realRuntime(),
    ledger,
    resources: new Map([[topicLog.name, embeddedTopicLog(log)]]),
    guarantee,
    freeze: true,
    encodeEdges: true,
    log: () => {},
  });
  return { running, ledger };
}

const readings = (from: number, to: number): Reading[] =>
  Array.from({ length: to - from }, (_, i) => ({ device: `d${(from + i) % 7}`, n: from + i }));

async function produce(log: Log, values: readonly (Reading | string | null)[]) {
  const producer = log.producer();
  const encode = (value: unknown) =>
    new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
  await Promise.all(
    values.map((value) => {
      const key = typeof value === 'object' && value ? { key: encode(value.device) } : {};
      return producer.send({ topic: 'in', ...key, value: value === null ? null : encode(value), timestamp: 123_000 });
    }),
  );
  await producer.close();
}

/** What is in the output, by device, in order. */
function copies(log: Log): Map<string, number[]> {
  const byDevice = new Map<string, number[]>();
  for (const { partition, latest } of log.describeTopic('out').partitions) {
    for (let offset = 0; offset < latest; ) {
      const { records, nextOffset } = log.read('out', partition, offset);
      offset = nextOffset;
      for (const { value, timestamp } of records) {
        const { device, n } = JSON.parse(new TextDecoder().decode(value!)) as Reading;
        assert.equal(timestamp, 123_000, 'the time of the record goes along');
        byDevice.set(device, [...(byDevice.get(device) ?? []), n]);
      }
    }
  }
  return byDevice;
}

async function outputReaches(log: Log, count: number) {
  const partitions = log.describeTopic('out').partitions.map(({ partition }) => partition);
  const total = () => partitions.reduce((sum, partition) => sum + log.offsets('out', partition).latest, 0);
  await new Promise<void>((resolve) => {
    const look = () => total() >= count && resolve();
    for (const partition of partitions) log.onAppend('out', partition, look);
    look();
  });
}

const expected = (to: number) => {
  const byDevice = new Map<string, number[]>();
  for (const { device, n } of readings(0, to)) byDevice.set(device, [...(byDevice.get(device) ?? []), n * 10]);
  return byDevice;
};
const sorted = (map: Map<string, number[]>) => [...map].sort(([a], [b]) => a.localeCompare(b));
const committed = (running: Running, log: Log) => {
  assert.equal(running.state, 'stopped');
  return log.lag('copiers').reduce((sum, { lag }) => sum + lag, 0);
};

test('what was stopped goes on where it was: each record comes out once, in the order of its key', () =>
  withDirectory(async (directory) => {
    for (const [from, to] of [
      [0, 3_000],
      [3_000, 5_000],
    ] as const) {
      const log = await openLog({ directory });
      const { running } = await start(log);
      await produce(log, readings(from, to));
      await outputReaches(log, to);
      await running.stop();
      assert.equal(committed(running, log), 0, 'everything that came out is committed');
      assert.deepEqual(sorted(copies(log)), sorted(expected(to)));
      await log.close();
    }
  }));

test('what a killed topology had not finished is read again', () =>
  withDirectory(async (directory) => {
    const log = await openLog({ directory });
    const first = await start(log, 500);
    await produce(log, readings(0, 1_000));
    await outputReaches(log, 400);
    await first.running.kill();
    const second = await start(log);
    const all = new Set(readings(0, 1_000).map(({ n }) => n * 10));
    const seen = () => new Set([...copies(log).values()].flat());
    while (seen().size < all.size) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      [...seen()].sort((a, b) => a - b),
      [...all],
    );
    await second.running.stop();
    await log.close();
  }));

test('at-most-once reads nothing twice', () =>
  withDirectory(async (directory) => {
    const log = await openLog({ directory });
    const first = await start(log, 500, 'at-most-once');
    await produce(log, readings(0, 1_000));
    await outputReaches(log, 100);
    await first.running.kill();
    const second = await start(log, undefined, 'at-most-once');
    await produce(log, readings(1_000, 1_001));
    const has = (n: number) => [...copies(log).values()].some((of) => of.includes(n));
    while (!has(10_000)) await new Promise((resolve) => setImmediate(resolve));
    const all = [...copies(log).values()].flat();
    assert.equal(new Set(all).size, all.length);
    await second.running.stop();
    await log.close();
  }));

test('a null and a malformed record go to the ledger with their offsets, are committed, and stop nothing', () =>
  withDirectory(async (directory) => {
    const log = await openLog({ directory });
    const { running, ledger } = await start(log);
    await produce(log, [null, '{"device":', ...readings(0, 10)]);
    await outputReaches(log, 10);
    await running.stop();
    assert.equal(committed(running, log), 0);
    const entries = ledger.list().toSorted((a, b) => a.cause.localeCompare(b.cause));
    assert.deepEqual(
      entries.map(({ cause, component, encoding }) => [cause, component, encoding]),
      [
        ['malformed', 'readings', 'record'],
        ['null', 'readings', 'record'],
      ],
    );
    assert.equal(new TextDecoder().decode(entries[0]!.payload!), '{"device":');
    assert.match(entries[0]!.origin!.split, /^in-[0-3]$/);
    await log.close();
  }));
