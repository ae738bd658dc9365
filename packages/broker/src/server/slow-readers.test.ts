import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { type TestContext, test } from 'node:test';
import type { LogRecord } from '../log/api.ts';
import { claimedSize, decodeRecords, faultOf } from '../log/record-batch.ts';
import { Fetch } from '../protocol/messages/records.ts';
import { startBroker } from './broker.fixture.ts';
import { TestClient } from './client.fixture.ts';

/** The memory of large reads is used again: never while a client has not got it yet, however slow it is. */
const PARTITIONS = 12;
const RECORDS = 20;
const VALUE = 60_000;

/** A client to whom nothing comes through before `release`. */
async function slowClient(t: TestContext, port: number): Promise<{ client: TestClient; release: () => void }> {
  let release = () => {};
  const proxy = net.createServer((down) => {
    const up = net.connect(port, '127.0.0.1').pause();
    down.on('error', () => {}).on('close', () => up.destroy());
    up.on('error', () => {}).on('close', () => down.destroy());
    down.pipe(up);
    release = () => void up.pipe(down);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const client = await TestClient.connect((proxy.address() as net.AddressInfo).port);
  t.after(async () => {
    await client.close();
    proxy.close();
  });
  return { client, release: () => release() };
}

/** Fetches a megabyte of each partition; how many records came, each of which is what was written there. */
async function readAll(client: TestClient, first: number): Promise<number> {
  const wanted = Array.from({ length: PARTITIONS }, (_, n) => ({
    partition: (first + n) % PARTITIONS,
    fetchOffset: 0,
    partitionMaxBytes: 1024 * 1024,
  }));
  const { responses } = await client.call(Fetch, 12, {
    maxWaitMs: 1000,
    minBytes: 1,
    isolationLevel: 0,
    maxBytes: 64 * 1024 * 1024,
    topics: [{ topic: 't', partitions: wanted }],
    forgottenTopicsData: [],
  });
  let seen = 0;
  for (const { partitionIndex, records } of responses[0]!.partitions) {
    const bytes = records!;
    for (let at = 0; at < bytes.length; at += claimedSize(bytes, at)) {
      assert.equal(faultOf(bytes, at, bytes.length), undefined);
      const found: LogRecord[] = [];
      decodeRecords(bytes, at, 0, found);
      for (const { offset, value } of found) assert.equal(value![0], partitionIndex * RECORDS + offset);
      seen += found.length;
    }
  }
  return seen;
}

/** A megabyte and more in each partition. */
async function filled(t: TestContext) {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t', { partitions: PARTITIONS });
  const producer = broker.log.producer();
  const sends: Promise<unknown>[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let n = 0; n < RECORDS; n++) {
      sends.push(producer.send({ topic: 't', partition, value: Buffer.alloc(VALUE, partition * RECORDS + n) }));
    }
  }
  await Promise.all(sends);
  return { port: broker.port, quick: client };
}

test('a slow client gets the bytes that it asked for, whatever others read meanwhile or leave behind', async (t) => {
  const { port, quick } = await filled(t);
  const slow = await Promise.all([0, 1, 2].map(() => slowClient(t, port)));
  const pending = slow.map(({ client }, n) => readAll(client, n));
  const left = assert.rejects(pending[2]!, /closed/);
  const all = await readAll(quick, 5);
  assert.ok(all >= PARTITIONS * 15, `${all} records`);
  for (let n = 0; n < 5; n++) assert.equal(await readAll(quick, n), all);
  await slow[2]!.client.close();
  await left;
  for (let n = 0; n < 5; n++) assert.equal(await readAll(quick, n), all);
  for (const { release } of slow.slice(0, 2)) release();
  assert.deepEqual(await Promise.all(pending.slice(0, 2)), [all, all]);
});

test('many slow clients do not fill the memory: together they hold 256 MiB, and others get less meanwhile', async (t) => {
  const { port, quick } = await filled(t);
  const all = await readAll(quick, 0);
  const slow = await Promise.all(Array.from({ length: 24 }, () => slowClient(t, port)));
  const pending = slow.map(({ client }) => readAll(client, 0));
  let got = all;
  for (let tries = 0; got === all && tries < 50; tries++) got = await readAll(quick, 0);
  assert.ok(got > 0 && got < all, `${got} of ${all} records`);
  for (const { release } of slow) release();
  const sizes = await Promise.all(pending);
  assert.ok(sizes.every((size) => size > 0));
  assert.ok(sizes.filter((size) => size === all).length >= 20);
  while (got !== all) got = await readAll(quick, 0);
});
