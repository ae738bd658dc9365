/** The topics of a running topology, seen by a Kafka client. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import { MAIN, millrace, NODE, project, start } from './command.fixture.ts';

const upper = `
import { topology } from 'millrace';
import { json, topic, topicSink, topicSpout } from 'millrace/topic';
const text = { value: { encode: (t) => Buffer.from(t), decode: (b) => Buffer.from(b).toString() }, partitions: 1 };
export default topology('upper', (t) => {
  const words = t.spout('words', topicSpout(topic('words', text), { group: 'upper' }));
  t.sink('out', t.bolt('raise', words.shuffle(), (w) => w.toUpperCase()).shuffle(), topicSink(topic('loud', text)));
});
`;

test('a client writes to a topic of a running topology and reads what comes of it; the topology stops in good order', async (t) => {
  const folder = project('served', { 'm.ts': upper });
  const runs = ['one', 'two'].map((data) => start(t, folder, [...NODE, MAIN, 'run', 'm.ts', '--data', data]));
  const addresses = await Promise.all(runs.map(async (run) => (await run.shown(/^kafka +(127\.0\.0\.1:\d+)$/m))[1]!));
  assert.notEqual(addresses[0], addresses[1], 'each has a port of its own');

  const client = { clientId: 'test', bootstrapBrokers: [addresses[1]!], retries: 0 };
  const producer = new Producer({ ...client, serializers: stringSerializers });
  const consumer = new Consumer({ ...client, groupId: 'readers', deserializers: stringDeserializers });
  // What a failed test leaves open would keep its process alive.
  t.after(() => Promise.allSettled([producer.close(), consumer.close(true)]));
  await producer.send({ messages: [{ topic: 'words', value: 'mill' }] });
  const stream = await consumer.consume({ topics: ['loud'], mode: 'earliest' });
  stream.on('error', () => {}); // the topology ends while it reads
  const { value: message } = await stream[Symbol.asyncIterator]().next();
  assert.ok(message);
  assert.equal(message.value, 'MILL');

  for (const run of runs) run.child.kill('SIGINT');
  for (const { code, stderr } of await Promise.all(runs.map((run) => run.ended))) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /stopped after/);
  }
});

test('a port that was asked for is that one or an error, and --no-kafka is none', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((listening) => taken.once('listening', listening));
  const { port } = taken.address() as { port: number };
  const ends = `
import { generatorSpout, sink, topology } from 'millrace';
export default topology('short', (t) => {
  t.sink('out', t.spout('some', generatorSpout(() => [1])).shuffle(), sink({ mode: 'append', batch: { size: 1, every: 0 }, write() {} }));
});
`;
  const folder = project('ports', { 'm.ts': ends });
  const [asked, none, both] = await Promise.all([
    millrace(folder, ['run', 'm.ts', '--data', 'a', '--kafka-port', String(port)]),
    millrace(folder, ['run', 'm.ts', '--data', 'b', '--no-kafka']),
    millrace(folder, ['run', 'm.ts', '--data', 'c', '--kafka-port', '0', '--brokers', '127.0.0.1:1']),
  ]);
  assert.equal(asked.code, 1);
  assert.match(asked.stderr, new RegExp(`error: cannot listen on port ${port} of 127\\.0\\.0\\.1: it is in use`));
  assert.equal(none.code, 0, none.stderr);
  assert.doesNotMatch(none.stderr, /kafka/);
  assert.equal(both.code, 2);
  assert.match(both.stderr, /--kafka-port.+cannot be used with.+--brokers/);
});
