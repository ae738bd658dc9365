/**
 * Append and read rates of the log in process, on the real disk, with and without fsync. Every figure counts records
 * that were acknowledged, or read and decoded; each case has a topic of its own in one fresh data directory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, openLog, type Producer } from '@millrace/broker';
import type { Bench, Row } from './bench.ts';

const TOTAL_BYTES = 64 * 1024 * 1024;
const SYNCED_SENDS = 1000;

interface Case {
  readonly bytes: number;
  readonly partitions: number;
  readonly fsync: boolean;
}

const cases: readonly Case[] = [
  { bytes: 100, partitions: 1, fsync: true },
  { bytes: 1000, partitions: 1, fsync: true },
  { bytes: 1000, partitions: 4, fsync: true },
  { bytes: 100, partitions: 1, fsync: false },
  { bytes: 1000, partitions: 1, fsync: false },
  { bytes: 1000, partitions: 4, fsync: false },
];

export const logBench: Bench = {
  name: 'log',
  summary: 'append and read rates of the log in process, with and without fsync',
  run: runLogBench,
};

async function runLogBench(): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-log-'));
  const rows: Row[] = [];
  try {
    for (const fsync of [true, false]) {
      const log = await openLog({ directory, fsync });
      for (const one of cases) if (one.fsync === fsync) rows.push(...(await appendAndRead(log, one)));
      if (fsync) rows.push(...(await oneByOne(log)));
      await log.close();
    }
    return rows;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function appendAndRead(log: Log, { bytes, partitions, fsync }: Case): Promise<Row[]> {
  const topic = `append-${bytes}-${partitions}-${fsync}`;
  await log.createTopic(topic, { partitions });
  const label = `${bytes} B, ${partitions} partition${partitions === 1 ? '' : 's'}, fsync ${fsync ? 'on' : 'off'}`;
  const count = Math.floor(TOTAL_BYTES / bytes);
  await fill(log, topic, bytes, Math.floor(count / 10)); // Warms up the code, not the topic's figures.
  const appended = await secondsOf(() => fill(log, topic, bytes, count));
  let records = 0;
  const read = await secondsOf(async () => {
    records = readAll(log, topic, partitions);
  });
  return [
    {
      what: `append, ${label}`,
      value: Math.round(count / appended),
      unit: 'records/s',
      note: megabytes(count, bytes, appended),
    },
    {
      what: `read, ${label}`,
      value: Math.round(records / read),
      unit: 'records/s',
      note: megabytes(records, bytes, read),
    },
  ];
}

async function fill(log: Log, topic: string, bytes: number, count: number): Promise<void> {
  const producer = log.producer();
  const value = Buffer.alloc(bytes, 'x');
  let sent = 0;
  let failed: unknown;
  while (sent < count) {
    for (let n = 0; n < 1000 && sent < count; n++, sent++) {
      producer.send({ topic, value }).catch((error) => {
        failed = error;
      });
    }
    await producer.ready();
  }
  await producer.close();
  if (failed !== undefined) throw failed;
}

function readAll(log: Log, topic: string, partitions: number): number {
  let count = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const { latest } = log.offsets(topic, partition);
    for (let offset = 0; offset < latest; ) {
      const { records, nextOffset } = log.read(topic, partition, offset);
      count += records.length;
      offset = nextOffset;
    }
  }
  return count;
}

/** What a sender pays who waits for each record before the next: alone, and as one of many. */
async function oneByOne(log: Log): Promise<Row[]> {
  const rows: Row[] = [];
  for (const senders of [1, 64]) {
    const topic = `one-by-one-${senders}`;
    await log.createTopic(topic);
    const producer = log.producer();
    const latencies: number[] = [];
    const seconds = await secondsOf(async () => {
      await Promise.all(Array.from({ length: senders }, () => waitForEach(producer, topic, latencies)));
    });
    await producer.close();
    latencies.sort((a, b) => a - b);
    const at = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2);
    rows.push({
      what: `append one by one, 100 B, ${senders} sender${senders === 1 ? '' : 's'}, fsync on`,
      value: Math.round(latencies.length / seconds),
      unit: 'records/s',
      note: `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    });
  }
  return rows;
}

async function waitForEach(producer: Producer, topic: string, latencies: number[]): Promise<void> {
  const value = Buffer.alloc(100, 'x');
  for (let n = 0; n < SYNCED_SENDS; n++) {
    const begin = performance.now();
    await producer.send({ topic, value });
    latencies.push(performance.now() - begin);
  }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

function megabytes(count: number, bytes: number, seconds: number): string {
  return `${((count * bytes) / 1e6 / seconds).toFixed(0)} MB/s`;
}
