import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { realRuntime } from '../../runtime/real.ts';
import type { Connection } from '../../runtime/runtime.ts';
import { simulatedRuntime } from '../../runtime/simulated.ts';
import { driveQueue } from '../drive.ts';
import { type SocketLinesOptions, socketLines } from './socket-lines.ts';

const ADDRESS = { host: '127.0.0.1', port: 7000 };

async function open(options: Partial<SocketLinesOptions> = {}) {
  const runtime = simulatedRuntime({ seed: 1 });
  const { sockets } = runtime;
  const driven = await driveQueue(socketLines({ port: ADDRESS.port, ...options }), { resources: { sockets } });
  const client = () => runtime.until(sockets.connect(ADDRESS));
  const send = async (connection: Connection, text: string | Uint8Array) => {
    connection.write(Buffer.from(text as string));
    await runtime.settle();
  };
  const values = () => driven.emitted.map(({ value }) => value);
  return { runtime, driven, client, send, values };
}

test('gives the lines of every client, each in its order, without ids: nobody could send them again', async () => {
  const { driven, client, send, values } = await open();
  const [one, two] = [await client(), await client()];
  await send(one, 'a\r\nhal');
  await send(two, 'x\n');
  await send(one, 'f\n');
  await driven.until(() => driven.emitted.length === 3);
  assert.deepEqual(values().toSorted(), ['a', 'half', 'x']);
  assert.ok(values().indexOf('a') < values().indexOf('half'));
  assert.ok(driven.emitted.every(({ id }) => id === undefined));
});

test('says where it listens', async () => {
  const { driven } = await open({ port: 0 });
  assert.match(driven.lines[0]!, /^listening on 127\.0\.0\.1:\d+$/);
  assert.doesNotMatch(driven.lines[0]!, /:0$/);
});

test('the last line of a client that closes needs no line end', async () => {
  const { runtime, driven, client, send, values } = await open();
  const one = await client();
  await send(one, 'a\nlast');
  one.close();
  await runtime.settle();
  await driven.until(() => driven.emitted.length === 2);
  assert.deepEqual(values(), ['a', 'last']);
});

test('a client that has gone keeps nobody else waiting', async () => {
  const { runtime, client, send, driven, values } = await open();
  const [one, two] = [await client(), await client()];
  one.close();
  await send(two, 'a\n');
  await runtime.settle();
  driven.once();
  assert.deepEqual(values(), ['a']);
});

test('no client is given more than its turn while others wait', async () => {
  const { driven, client, send, values } = await open();
  const [one, two] = [await client(), await client()];
  await send(one, 'loud\n'.repeat(5_000));
  await send(two, 'quiet\n');
  driven.once();
  assert.ok(values().includes('quiet'));
});

test('a client that sends faster than the topology takes is held back, and loses nothing', async () => {
  const { runtime, driven, client, values } = await open();
  const one = await client();
  const line = `${'x'.repeat(99)}\n`;
  let sent = 0;
  while (sent < 10_000) {
    const more = one.write(Buffer.from(line));
    sent++;
    await runtime.settle();
    if (!more) break;
  }
  assert.ok(sent < 3_000, 'the client was never told to wait');
  let drained = false;
  one.onDrain(() => {
    drained = true;
  });
  await driven.until(() => driven.emitted.length > 0);
  for (let turn = 0; turn < 100 && driven.emitted.length < sent; turn++) {
    await runtime.settle();
    driven.once();
  }
  assert.equal(values().length, sent);
  assert.ok(drained, 'the client may go on');
});

test('a line above the limit, or not UTF-8, is rejected with what is left of it, and the flow goes on', async () => {
  const { runtime, driven, client, send, values } = await open({ maxLineBytes: 5 });
  const one = await client();
  await send(one, 'a\nsixsix\n');
  await send(one, Uint8Array.of(0xff, 0x0a));
  await send(one, 'b\n');
  one.close();
  await runtime.settle();
  await driven.until(() => driven.emitted.length === 2);
  driven.once();
  assert.deepEqual(values(), ['a', 'b']);
  assert.deepEqual(
    driven.rejected.map(({ cause, payload }) => [cause, ...payload!]),
    [
      ['malformed', ...Buffer.from('sixsi')],
      ['malformed', 0xff],
    ],
  );
  assert.match(driven.rejected[0]!.detail, /is longer than 5 bytes/);
  assert.match(driven.rejected[1]!.detail, /is not UTF-8/);
});

test('clients above the most are turned away', async () => {
  const { runtime, driven, client, send, values } = await open();
  const clients: Connection[] = [];
  for (let i = 0; i < 1025; i++) clients.push(await client());
  await runtime.settle();
  assert.match(driven.lines.at(-1)!, /is turned away: 1024 clients/);
  await send(clients[0]!, 'still here\n');
  await driven.until(() => driven.emitted.length === 1);
  clients[0]!.close();
  await runtime.settle();
  driven.once();
  driven.once();
  await send(await client(), 'room again\n');
  driven.once();
  assert.deepEqual(values(), ['still here', 'room again']);
});

test('closing ends its clients and frees its port', async () => {
  const { runtime, driven, client } = await open();
  const one = await client();
  let closed = false;
  one.onData(() => {});
  one.onClose(() => {
    closed = true;
  });
  await driven.reader.close?.();
  await runtime.settle();
  assert.ok(closed);
  await driveQueue(socketLines({ port: ADDRESS.port }), { resources: { sockets: runtime.sockets } });
});

test('one task listens, and refuses a port that is none', async () => {
  const { sockets } = simulatedRuntime({ seed: 1 });
  const spout = socketLines({ port: 1 });
  await assert.rejects(driveQueue(spout, { resources: { sockets }, parallelism: 2 }), { code: 'MR_OPTION' });
  for (const port of [-1, 65_536, 1.5]) assert.throws(() => socketLines({ port }), { code: 'MR_OPTION' });
});

test('takes lines over a real TCP connection', async () => {
  const { sockets } = realRuntime();
  const driven = await driveQueue(socketLines({ port: 0 }), { resources: { sockets } });
  const port = Number(/:(\d+)$/.exec(driven.lines[0]!)?.[1]);
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}`);
  client.end(lines.join('\n'));
  await driven.until(() => driven.emitted.length === lines.length);
  assert.deepEqual(
    driven.emitted.map(({ value }) => value),
    lines,
  );
  await driven.reader.close?.();
});
