/** Law 5 over Kafka's protocol: a topology from topic to topic that is killed, taken over from, and loses its brokers. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Broker, fileStorage } from '@millrace/broker';
import { openCheckpoints } from '../checkpoints/directory-checkpoints.ts';
import type { Running } from '../engine/running.ts';
import { startTopology } from '../engine/start.ts';
import { topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { realRuntime } from '../runtime/real.ts';
import { json, topic, topicLog, topicSink, topicSpout } from '../topic.ts';
import { topicsAt } from './kafka-suite.fixture.ts';
import type { TopicLog } from './topic-log.ts';

interface Reading {
  readonly device: string;
  readonly n: number;
}
const value = json(type<Reading>());
const input = topic('in', { value, key: (r: Reading) => r.device, partitions: 3 });
const output = topic('out', { value, key: (r: Reading) => r.device, partitions: 2 });

const numbering = topology('numbering', (t) => {
  const readings = t.spout('readings', topicSpout(input, { group: 'numbering' }), { parallelism: 2 });
  const doubled = t.bolt('double', readings.fields('device'), (r) => ({ ...r, n: r.n * 2 }), { parallelism: 2 });
  // So that what becomes of an epoch is seen while the topology runs.
  t.sink('out', doubled.shuffle(), topicSink(output), { onError: { retries: 1_000, backoff: '20ms' } });
});

async function start(log: TopicLog, directory: string): Promise<Running> {
  const runtime = realRuntime();
  const store = openCheckpoints({
    storage: fileStorage(),
    directory,
    topology: 'numbering',
    soon: runtime.timers.soon,
    log: () => {},
  });
  const running = await startTopology(numbering.build(), {
    runtime,
    ledger: memoryLedger(),
    resources: new Map([[topicLog.name, log]]),
    guarantee: 'exactly-once',
    checkpoints: {
      store,
      interval: 10,
      pause: 0,
      timeout: 60_000,
      outbox: { bytes: 1e6, total: 1e7, epochs: 100 },
      start: { renamed: new Map(), dropped: new Set() },
    },
    freeze: true,
    encodeEdges: true,
    log: () => {},
  });
  // A life that is over may end with an error, which is no news.
  running.done.catch(() => {});
  return running;
}

const readings = (from: number, to: number): Reading[] =>
  Array.from({ length: to - from }, (_, i) => ({ device: `d${(from + i) % 7}`, n: from + i }));

/** What a reader of committed records sees, by device, in order; all of it once there are so many. */
async function seen(log: TopicLog, count: number): Promise<Map<string, number[]>> {
  const byDevice = new Map<string, number[]>();
  let left = count;
  const { promise, resolve } = Promise.withResolvers<void>();
  const readers = [0, 1].map((partition) => {
    const reader = log.read('out', partition, 0, () => {
      for (let taken = reader.take(); !taken.outOfRange && taken.records.length > 0; taken = reader.take()) {
        for (const { value: bytes } of taken.records) {
          const { device, n } = value.decode(bytes!);
          byDevice.set(device, [...(byDevice.get(device) ?? []), n]);
          if (--left === 0) resolve();
        }
      }
    });
    return reader;
  });
  await promise;
  for (const reader of readers) reader.close();
  return byDevice;
}

test('killed, taken over from, and with its brokers away: each record comes out once, in the order of its key', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-exactly-once-'));
  const data = join(directory, 'log');
  let broker = await Broker.start({ directory: data });
  const { port, bootstrap } = broker;
  const log = topicsAt(bootstrap);
  t.after(async () => {
    await log.close();
    await broker.close();
    await rm(directory, { recursive: true });
  });
  await log.ensureTopic(input);
  await log.ensureTopic(output);
  const feed = async (from: number, to: number) => {
    for (let at = from; at < to; at += 50) {
      const records = readings(at, Math.min(at + 50, to)).map((r) => ({
        key: Buffer.from(r.device),
        value: value.encode(r),
        timestamp: 1_000,
      }));
      await log.produce('in', records);
    }
  };
  const checkpoints = join(directory, 'checkpoints');
  const first = await start(log, checkpoints);
  await feed(0, 600);
  await first.kill();
  await feed(600, 900);
  const second = await start(log, checkpoints);
  await feed(900, 1_200);
  // It goes on beside the next start, and learns that it has been taken over from.
  const third = await start(log, checkpoints);
  await feed(1_200, 1_500);
  await broker.close();
  broker = await Broker.start({ directory: data, port });
  await feed(1_500, 2_000);
  await third.kill();
  const last = await start(log, checkpoints);
  await feed(2_000, 2_100);
  const byDevice = await seen(log, 2_100);
  await last.stop();
  await assert.rejects(second.done, { code: /MR_SINK_CLAIMED|MR_SUPERSEDED/ });
  for (const [device, numbers] of byDevice) {
    const wanted = Array.from({ length: 300 }, (_, i) => 2 * (7 * i + Number(device.slice(1))));
    assert.deepEqual(numbers, wanted, device);
  }
  let count = 0;
  for (const { partition, latest } of broker.log.describeTopic('out').partitions) {
    for (let offset = 0; offset < latest; ) {
      const { records, nextOffset } = broker.log.read('out', partition, offset);
      count += records.length;
      offset = nextOffset;
    }
  }
  assert.equal(count, 2_100, 'nothing has come behind what was looked at');
});
