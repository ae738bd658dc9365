/** Topics at the embedded broker, reached over TCP like any other. Apache Kafka takes the same suites in test/kafka. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Broker } from '@millrace/broker';
import { startTopology } from '../engine/start.ts';
import { topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { realRuntime } from '../runtime/real.ts';
import { json, topic, topicLog, topicSink, topicSpout } from '../topic.ts';
import { type Brokers, kafkaBackend, kafkaSuite, topicsAt } from './kafka-suite.fixture.ts';
import { TransactionFenced } from './topic-log.ts';
import { topicLogSuite } from './topic-log-suite.ts';
import { topicTransactionsSuite } from './topic-transactions-suite.fixture.ts';

async function embeddedBroker(): Promise<Brokers> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  let broker = await Broker.start({ directory });
  const { port, bootstrap } = broker;
  return {
    bootstrap,
    async restart() {
      await broker.close();
      broker = await Broker.start({ directory, port });
    },
    async close() {
      await broker.close();
      await rm(directory, { recursive: true });
    },
  };
}

topicLogSuite('the embedded broker over TCP', async () => kafkaBackend(await embeddedBroker()));
topicTransactionsSuite('the embedded broker over TCP', async () => kafkaBackend(await embeddedBroker()));
kafkaSuite('the embedded broker', embeddedBroker);

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('brokers that never answer are given up, and the error says which and why', async () => {
  const nobody = `127.0.0.1:${await freePort()}`;
  const log = topicsAt(nobody, { hasty: true });
  const failed = { code: 'MR_BROKERS', message: new RegExp(`${nobody}.*ECONNREFUSED`) };
  await assert.rejects(log.ensureTopic({ name: 't' }), failed);
  await assert.rejects(log.committed('g', 't'), failed);
  await log.close();
});

test('what waits for brokers that are away ends when the log is closed', async () => {
  const log = topicsAt(`127.0.0.1:${await freePort()}`, { hasty: true });
  const reader = log.read('t', 0, 0, () => {});
  const waiting = [log.offsets('t', 'latest'), log.produce('t', [{ key: null, value: null, timestamp: 1 }])];
  const ended = Promise.all(waiting.map((one) => assert.rejects(one, /the log is closed/)));
  await log.close();
  await ended;
  reader.close();
});

test('a write whose answer is lost is not written twice', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  let cuts = 0;
  let answers = 0;
  const proxy = createServer((client) => {
    const upstream = connect(broker.port, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      answers++;
      if (cuts === 0) return void client.write(bytes);
      cuts--;
      client.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const broker = await Broker.start({ directory, advertised: { host: '127.0.0.1', port } });
  const log = topicsAt(`127.0.0.1:${port}`);
  await log.ensureTopic({ name: 't' });
  const write = () => log.produce('t', [{ key: null, value: Buffer.from('x'), timestamp: 1 }]);
  await write();
  cuts = 1;
  const before = answers;
  await write();
  assert.ok(cuts === 0 && answers > before + 1, 'no answer was lost');
  await write();
  assert.deepEqual(await log.offsets('t', 'latest'), [3]);
  await log.close();
  proxy.close();
  await broker.close();
  await rm(directory, { recursive: true });
});

test('whichever answer is lost on the way of a publication, it is there once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  let untilCut = Number.POSITIVE_INFINITY;
  const proxy = createServer((client) => {
    const upstream = connect(broker.port, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => (--untilCut === 0 ? client.destroy() : client.write(bytes)));
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const broker = await Broker.start({ directory, advertised: { host: '127.0.0.1', port } });
  const log = topicsAt(`127.0.0.1:${port}`, { hasty: true });
  await log.ensureTopic({ name: 't', partitions: 2 });
  const transactions = log.transactions('t');
  await transactions.claim();
  let published = 0;
  const records = ['a', 'b', 'c', 'd'].map((key) => ({ key: Buffer.from(key), value: Buffer.from('x'), timestamp: 1 }));
  for (let answers = 1; untilCut > 0; answers++) {
    untilCut = answers;
    await transactions.publish('t', records, Buffer.from(String(++published)));
    if (untilCut > 0) break;
    untilCut = Number.POSITIVE_INFINITY;
    assert.equal(Buffer.from((await transactions.claim())!).toString(), String(published));
    untilCut = answers;
    const marker = await transactions.claim();
    assert.equal(Buffer.from(marker!).toString(), String(published), 'nor is a claim led astray');
    untilCut = Number.POSITIVE_INFINITY;
  }
  assert.ok(published >= 4, `a publication has ${published} answers`);
  untilCut = Number.POSITIVE_INFINITY;
  let there = 0;
  for (const partition of [0, 1]) {
    const { latest } = broker.log.offsets('t', partition);
    for (let offset = 0; offset < latest; ) {
      const read = broker.log.read('t', partition, offset);
      there += read.records.length;
      offset = read.nextOffset;
    }
  }
  assert.equal(there, published * records.length);
  await log.close();
  proxy.close();
  await broker.close();
  await rm(directory, { recursive: true });
});

test('a publisher that is fenced between two of its steps is told so, and nothing of it is there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  let answers = Number.POSITIVE_INFINITY;
  const proxy = createServer((client) => {
    const upstream = connect(broker.port, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', async (bytes) => {
      // The step is done, and its answer arrives when somebody else has taken the id.
      if (--answers === 0) await broker.log.transactionalProducer('t');
      client.write(bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const broker = await Broker.start({ directory, advertised: { host: '127.0.0.1', port } });
  const log = topicsAt(`127.0.0.1:${port}`);
  await log.ensureTopic({ name: 't' });
  const transactions = log.transactions('t');
  await transactions.claim();
  const publish = () => transactions.publish('t', [{ key: null, value: null, timestamp: 1 }], Buffer.from('m'));
  await publish();
  for (const step of [1, 2]) {
    await transactions.claim();
    answers = step;
    await assert.rejects(publish(), TransactionFenced, `after answer ${step}`);
  }
  assert.equal(broker.log.read('t', 0, 0).records.length, 1);
  await log.close();
  proxy.close();
  await broker.close();
  await rm(directory, { recursive: true });
});

test('what is written after a write that was given up is not taken for a repetition of something older', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  let silent = false;
  const proxy = createServer((client) => {
    const upstream = connect(broker.port, '127.0.0.1');
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => (silent ? client.destroy() : client.write(bytes)));
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const broker = await Broker.start({ directory, advertised: { host: '127.0.0.1', port } });
  const log = topicsAt(`127.0.0.1:${port}`, { hasty: true });
  await log.ensureTopic({ name: 't' });
  const write = (value: string) => log.produce('t', [{ key: null, value: Buffer.from(value), timestamp: 1 }]);
  await write('first');
  silent = true;
  await assert.rejects(write('given up'), { code: 'MR_BROKERS' });
  silent = false;
  await write('last');
  const { records } = broker.log.read('t', 0, 0);
  const values = records.map(({ value }) => Buffer.from(value!).toString());
  assert.deepEqual(values, ['first', 'given up', 'last']);
  await log.close();
  proxy.close();
  await broker.close();
  await rm(directory, { recursive: true });
});

test('an address that is none is refused at once', () => {
  for (const address of ['localhost', 'localhost:0', 'localhost:99999', ':9092', 'kafka://a:9092', ''])
    assert.throws(() => topicsAt(address), { code: 'MR_OPTION' }, address);
  for (const address of ['[::1]:9092', 'kafka-1.example:9092']) topicsAt(address);
});

interface Reading {
  readonly device: string;
  readonly n: number;
}
const readings = topic('readings', { value: json(type<Reading>()), key: (r: Reading) => r.device, partitions: 4 });
const doubled = topic('doubled', { value: json(type<Reading>()), key: (r: Reading) => r.device, partitions: 2 });
const doubling = topology('doubling', (t) => {
  const all = t.spout('readings', topicSpout(readings, { group: 'doubling' }), { parallelism: 2 });
  const twice = t.bolt('twice', all.fields('device'), (r) => ({ ...r, n: r.n * 2 }), { parallelism: 2 });
  t.sink('doubled', twice.shuffle(), topicSink(doubled));
});

test('a topology runs over brokers: each record once, in order by key, and the next run goes on where it stopped', async () => {
  const { bootstrap, close } = await embeddedBroker();
  const log = topicsAt(bootstrap);
  await log.ensureTopic(readings);
  await log.ensureTopic(doubled);
  const feed = (from: number, to: number) =>
    log.produce(
      'readings',
      Array.from({ length: to - from }, (_, i) => ({ device: `d${(from + i) % 5}`, n: from + i })).map((r) => ({
        key: Buffer.from(r.device),
        value: json(type<Reading>()).encode(r),
        timestamp: 1_000,
      })),
    );
  const seen: Reading[] = [];
  let look = () => {};
  const readers = [0, 1].map((partition) => {
    const reader = log.read('doubled', partition, 0, () => {
      for (let taken = reader.take(); !taken.outOfRange && taken.records.length > 0; taken = reader.take())
        seen.push(...taken.records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Reading));
      look();
    });
    return reader;
  });
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      look = () => seen.length >= count && resolve();
      look();
    });
  for (const end of [1_000, 1_500]) {
    const running = await startTopology(doubling.build(), {
      runtime: realRuntime(),
      ledger: memoryLedger(),
      resources: new Map([[topicLog.name, log]]),
      guarantee: 'at-least-once',
      freeze: true,
      encodeEdges: true,
      log: () => {},
    });
    await feed(end === 1_000 ? 0 : 1_000, end);
    await until(end);
    await running.stop();
  }
  assert.equal(seen.length, 1_500);
  for (const [device, of] of Map.groupBy(seen, (r) => r.device)) {
    const wanted = Array.from({ length: 300 }, (_, i) => 2 * (5 * i + Number(device.slice(1))));
    assert.deepEqual(
      of.map(({ n }) => n),
      wanted,
    );
  }
  for (const reader of readers) reader.close();
  await log.close();
  await close();
});
