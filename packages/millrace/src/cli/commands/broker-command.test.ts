/** `millrace broker` as a real process, with a real client. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka';
import { MAIN, millrace, NODE, project, start } from '../command.fixture.ts';

const ADDRESS = /kafka +(127\.0\.0\.1:\d+)/;

test('clients use it, commands beside it ask it, and SIGTERM ends it in good order with a consumer connected', async (t) => {
  const folder = project('kafka');
  const broker = start(t, folder, [...NODE, MAIN, 'broker', '--port', '0', '--set', 'num.partitions=2']);
  const [, bootstrap = ''] = await broker.shown(ADDRESS);
  await broker.shown(new RegExp(`kcat -b ${bootstrap}`));
  const client = { clientId: 'test', bootstrapBrokers: [bootstrap], retries: 0 };

  const admin = new Admin(client);
  const producer = new Producer({ ...client, serializers: stringSerializers });
  const consumer = new Consumer({ ...client, groupId: 'readers', deserializers: stringDeserializers });
  // What a failed test leaves open would keep its process alive.
  t.after(() => Promise.allSettled([admin.close(), producer.close(), consumer.close(true)]));

  await admin.createTopics({ topics: ['greetings'], partitions: -1, replicas: -1 });
  await producer.send({ messages: [{ topic: 'greetings', value: 'hello', partition: 1 }] });
  const stream = await consumer.consume({ topics: ['greetings'], mode: 'earliest', autocommit: false });
  stream.on('error', () => {}); // the broker goes while it reads
  const { value: message } = await stream[Symbol.asyncIterator]().next();
  assert.ok(message);
  await message.commit();
  assert.equal(message.value, 'hello');

  const [listed, produced, ledger, run, second] = await Promise.all([
    millrace(folder, ['topics', 'describe', 'greetings', '--json']),
    millrace(folder, ['produce', 'greetings'], 'from beside\n'),
    millrace(folder, ['ledger', 'list', '--json']),
    millrace(folder, ['run', 'nothing.ts']),
    millrace(folder, ['broker', '--port', '0']),
  ]);
  const { partitions, groups } = JSON.parse(listed.stdout);
  assert.equal(partitions.length, 2);
  assert.equal(groups[0].lag.find((l: { partition: number }) => l.partition === 1).committed, 1);
  assert.deepEqual([produced.code, ledger.code, run.code], [0, 0, 1]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`process ${broker.child.pid}.+${bootstrap}.+\\[MR_DATA_SERVED\\]`));

  broker.child.kill('SIGTERM');
  const { code, stderr } = await broker.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /\nstopping: .+\nstopped\n$/);
  const after = await millrace(folder, ['consume', 'greetings', '--json']);
  assert.deepEqual(
    after.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).value)
      .sort(),
    ['from beside', 'hello'],
  );
});

test('an address that others can reach, a port in use, and what it cannot understand are refused with the reason', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((listening) => taken.once('listening', listening));
  const { port } = taken.address() as { port: number };
  const folder = project('refused');
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await millrace(folder, ['broker', '--data', `d${args.length}${args[1]}`, ...args]);
    assert.equal(stdout, '');
    return `${code} ${stderr}`;
  };
  const [remote, inUse, port0, advertise, setting] = await Promise.all([
    refused('--host', '0.0.0.0', '--port', '0'),
    refused('--port', String(port)),
    refused('--port', '65536'),
    refused('--advertise', 'a:b:c'),
    refused('--set', 'num.partition=3'),
  ]);
  assert.match(remote, /^1 error: 0\.0\.0\.0 can be reached from other machines.+--allow-remote/);
  assert.match(
    inUse,
    new RegExp(`^1 error: cannot listen on port ${port} of 127\\.0\\.0\\.1: it is in use.+choose another`),
  );
  assert.match(port0, /^2 error: .*A port is a number from 0 to 65535/);
  assert.match(advertise, /^2 error: --advertise a:b:c is not understood: write HOST or HOST:PORT/);
  assert.match(setting, /^1 error: 'num\.partition' is not a broker setting; there are .*num\.partitions/);
});

test('says what is unusual about it, and tells clients the address that it was given', async (t) => {
  const args = ['--port', '0', '--host', '0.0.0.0', '--allow-remote', '--no-fsync', '--advertise', 'localhost'];
  const broker = start(t, project('open'), [...NODE, MAIN, 'broker', ...args]);
  const [, port] = await broker.shown(/kafka +0\.0\.0\.0:(\d+), told to clients as localhost:\1\n/);
  await broker.shown(/without authentication/);
  await broker.shown(/fsync +off: .*not a power cut/);
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [`127.0.0.1:${port}`], retries: 0 });
  t.after(() => admin.close());
  const { brokers } = await admin.metadata({ topics: [] });
  assert.deepEqual(
    [...brokers.values()].map(({ host, port: told }) => `${host}:${told}`),
    [`localhost:${port}`],
  );
  broker.child.kill('SIGINT');
  assert.equal((await broker.ended).code, 0);
});
