/** What sockets must do, on the network and in memory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { realRuntime } from './real.ts';
import type { Address, Connection, Sockets } from './runtime.ts';
import { simulatedRuntime } from './simulated.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
after(() => rmSync(folder, { recursive: true }));

interface World {
  readonly sockets: Sockets;
  wait<T>(promise: Promise<T>): Promise<T>;
}

const worlds: Record<string, () => World> = {
  real: () => ({ sockets: realRuntime().sockets, wait: (promise) => promise }),
  simulated() {
    const { sockets, until } = simulatedRuntime({ seed: 1 });
    return { sockets, wait: until };
  },
};
const addresses: Record<string, Address> = {
  TCP: { host: '127.0.0.1', port: 0 },
  local: { path: join(folder, 's') },
};

const bytesOf = (text: string) => new TextEncoder().encode(text);
const closing = (connection: Connection) => new Promise<Error | undefined>((resolve) => connection.onClose(resolve));
/** All that arrives until the other side closes. */
async function received(connection: Connection): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  connection.onData((bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  await closing(connection);
  return text;
}

for (const [name, world] of Object.entries(worlds))
  for (const [kind, address] of Object.entries(addresses)) {
    /** A listener, and both ends of one connection to it. */
    const connected = async ({ sockets, wait }: World) => {
      const accepted = Promise.withResolvers<Connection>();
      const listener = await wait(sockets.listen(address, accepted.resolve));
      const client = await wait(sockets.connect(listener.address));
      return { listener, client, server: await wait(accepted.promise) };
    };

    describe(`${name} ${kind} sockets`, () => {
      test('bytes arrive in order, both ways, and closing comes after them', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        const [there, back] = [received(server), received(client)];
        const gone = [closing(client), closing(server)];
        for (let n = 0; n < 100; n++) client.write(bytesOf(`${n},`));
        server.write(bytesOf('welcome'));
        client.onData(() => client.close());
        assert.equal(await the.wait(there), Array.from({ length: 100 }, (_, n) => `${n},`).join(''));
        assert.equal(await the.wait(back), 'welcome');
        assert.deepEqual(await the.wait(Promise.all(gone)), [undefined, undefined]);
        await the.wait(listener.close());
      });

      test('everything written before a close arrives', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        const there = received(server);
        for (let n = 0; n < 300; n++) client.write(bytesOf(String(n % 10).repeat(1000)));
        client.close();
        assert.equal((await the.wait(there)).length, 300_000);
        assert.equal(client.write(bytesOf('too late')), false);
        await the.wait(listener.close());
      });

      test('bytes that come before anybody takes them are kept', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        client.write(bytesOf('early'));
        const early = Promise.withResolvers<string>();
        server.onData((bytes) => early.resolve(new TextDecoder().decode(bytes)));
        assert.equal(await the.wait(early.promise), 'early');
        client.close();
        await the.wait(listener.close());
      });

      test('a reader that pauses holds the writer back, and drain tells it to go on', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        let got = 0;
        server.onData((bytes) => {
          got += bytes.byteLength;
        });
        server.pause();
        const drained = new Promise<void>((resolve) => client.onDrain(resolve));
        const chunk = new Uint8Array(16 * 1024);
        let written = 0;
        do written += chunk.byteLength;
        while (client.write(chunk) && written < 100_000_000);
        assert.ok(written < 100_000_000, 'the writer was never held back');
        await the.wait(Promise.resolve());
        assert.equal(got, 0);
        server.resume();
        await the.wait(drained);
        const gone = closing(server);
        client.close();
        await the.wait(gone);
        assert.equal(got, written);
        await the.wait(listener.close());
      });

      test('onClose tells also whoever asks after it', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        server.onData(() => {});
        const gone = [closing(client), closing(server)];
        client.close();
        await the.wait(Promise.all(gone));
        assert.deepEqual(await the.wait(Promise.all([closing(client), closing(server)])), [undefined, undefined]);
        await the.wait(listener.close());
      });

      test('a closed listener takes no one, leaves its connections alone, and frees its address', async () => {
        const the = world();
        const { listener, client, server } = await connected(the);
        await assert.rejects(the.wait(the.sockets.listen(listener.address, () => {})), { code: 'EADDRINUSE' });
        await the.wait(listener.close());
        await assert.rejects(the.wait(the.sockets.connect(listener.address)), (error: NodeJS.ErrnoException) =>
          ['ECONNREFUSED', 'ENOENT'].includes(error.code ?? ''),
        );
        const there = received(server);
        client.write(bytesOf('still here'));
        client.close();
        assert.equal(await the.wait(there), 'still here');
        const again = await the.wait(the.sockets.listen(listener.address, () => {}));
        await the.wait(again.close());
      });
    });
  }

const { sockets } = realRuntime();

test("a local socket is its owner's alone", { skip: process.platform === 'win32' }, async () => {
  const path = join(folder, 'mine');
  const listener = await sockets.listen({ path }, () => {});
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await listener.close();
});

test('the socket that a killed process left behind is taken over', { skip: process.platform === 'win32' }, async () => {
  const path = join(folder, 'left');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`;
  const child = spawn(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await assert.rejects(
    sockets.listen({ path }, () => {}),
    { code: 'EADDRINUSE' },
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  const listener = await sockets.listen({ path }, () => {});
  const client = await sockets.connect({ path });
  client.close();
  await listener.close();
});

test('a path that the kernel would cut is refused, with the limit', {
  skip: process.platform === 'win32',
}, async () => {
  const path = join(folder, 'x'.repeat(120));
  const refused = { code: 'MR_SOCKET_PATH', message: /choose a shorter data directory/ };
  await assert.rejects(
    sockets.listen({ path }, () => {}),
    refused,
  );
  await assert.rejects(async () => sockets.connect({ path }), refused);
});

test('a connection that the other side breaks closes with the error', async () => {
  const accepted = Promise.withResolvers<Connection>();
  const listener = await sockets.listen({ host: '127.0.0.1', port: 0 }, accepted.resolve);
  const { port } = listener.address as { port: number };
  const script = `const socket = require('node:net').connect(${port}, '127.0.0.1', () => socket.write('x'));
    socket.on('data', () => socket.resetAndDestroy());`;
  const child = spawn(process.execPath, ['--eval', script], { stdio: 'inherit' });
  const server = await accepted.promise;
  const closed = closing(server);
  server.onData(() => server.write(bytesOf('break it')));
  assert.equal(((await closed) as NodeJS.ErrnoException).code, 'ECONNRESET');
  await once(child, 'exit');
  await listener.close();
});
