import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { realRuntime } from '../runtime/real.ts';
import type { Connection } from '../runtime/runtime.ts';
import { connectControl } from './control-client.ts';
import { lineReader } from './control-protocol.ts';
import type { ControlMethods } from './control-server.ts';
import { serveControl } from './control-server.ts';

const { sockets } = realRuntime();

async function served(t: TestContext, methods: ControlMethods) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-control-'));
  const address = { path: join(directory, 'c.sock') };
  const server = await serveControl(sockets, address, methods);
  const client = await connectControl(sockets, address);
  t.after(async () => {
    client.close();
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return { server, client, address };
}

/** Writes raw text on a connection of its own and collects the lines that come back until there are `count`. */
async function raw(address: { path: string }, text: string, count: number): Promise<unknown[]> {
  const connection: Connection = await sockets.connect(address);
  const lines: unknown[] = [];
  await new Promise<void>((resolve) => {
    const line = (l: string) => {
      lines.push(JSON.parse(l));
      if (lines.length === count) resolve();
    };
    connection.onData(lineReader(1e6, line, assert.fail));
    connection.onClose(() => resolve());
    connection.write(new TextEncoder().encode(text));
  });
  connection.close();
  return lines;
}

describe('the control socket', () => {
  test('answers requests by id, in whatever order they finish', async (t) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { client } = await served(t, { slow: () => promise, echo: (params) => params });
    const slow = client.call('slow');
    assert.deepEqual(await client.call('echo', { a: [1, 'zwei'] }), { a: [1, 'zwei'] });
    resolve('late');
    assert.equal(await slow, 'late');
  });

  test('answers a failing method with its code and message', async (t) => {
    const fail = () => {
      throw Object.assign(new Error('no such topic'), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    };
    const { client } = await served(t, { fail });
    await assert.rejects(client.call('fail'), { code: 'UNKNOWN_TOPIC_OR_PARTITION', message: 'no such topic' });
  });

  test('answers bad JSON, a missing id and an unknown method with errors, and the connection survives', async (t) => {
    const { address } = await served(t, { ping: () => 'pong' });
    const requests = [
      '{nonsense',
      '[1]',
      '{"id":2}',
      '{"id":3,"method":"constructor"}',
      '',
      '{"id":4,"method":"ping"}',
    ];
    const answers = (await raw(address, `${requests.join('\n')}\n`, 5)) as {
      id: unknown;
      result?: unknown;
      error?: { code: string; message: string };
    }[];
    assert.deepEqual(
      answers.map(({ id, result, error }) => [id, result ?? error?.code]),
      [
        [null, 'MR_CONTROL'],
        [null, 'MR_CONTROL'],
        [null, 'MR_CONTROL'],
        [3, 'MR_CONTROL'],
        [4, 'pong'],
      ],
    );
    assert.match(answers[3]!.error!.message, /no method "constructor"; there are: ping/);
  });

  test('refuses a 65th request under way on one connection', async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { client } = await served(t, { wait: () => promise });
    const calls = Array.from({ length: 64 }, () => client.call('wait'));
    await assert.rejects(client.call('wait'), /64 requests are under way/);
    resolve();
    await Promise.all(calls);
  });

  test('gives items in order until the client cancels', async (t) => {
    const abort = new AbortController();
    const { client } = await served(t, {
      count: async (_params, { item, signal }) => {
        let n = 0;
        while (!signal.aborted) {
          await item(n++);
          await new Promise(setImmediate);
        }
        return 'ended';
      },
    });
    const items: unknown[] = [];
    const onItem = (item: unknown) => {
      if (items.push(item) === 5) abort.abort();
    };
    assert.equal(await client.call('count', {}, { onItem, signal: abort.signal }), 'ended');
    assert.deepEqual(items.slice(0, 5), [0, 1, 2, 3, 4]);
  });

  test('waits for a client that does not read, and does not hold what it cannot send', async (t) => {
    let given = 0;
    const { address, server } = await served(t, {
      flood: async (_params, { item, signal }) => {
        for (; !signal.aborted && given < 10_000; given++) await item('x'.repeat(100_000));
      },
    });
    const connection = await sockets.connect(address);
    connection.onData(() => {});
    connection.pause();
    connection.write(new TextEncoder().encode('{"id":1,"method":"flood"}\n'));
    let before = -1;
    while (before !== given) {
      before = given;
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    }
    assert.ok(given < 1000, `${given} items of 100 kB were taken for a client that reads none`);
    // Closing must not wait for that client.
    await server.close();
    connection.close();
  });

  test('lets requests under way be answered when it closes', async (t) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { client, server } = await served(t, { slow: () => promise });
    const slow = client.call('slow');
    await client.call('unknown').catch(() => {});
    const closed = server.close();
    resolve('drained');
    assert.equal(await slow, 'drained');
    await closed;
    await assert.rejects(client.call('slow'), { code: 'MR_CONTROL_LOST' });
  });

  test('ends the methods of a client that goes away', async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { address } = await served(t, {
      follow: (_params, { signal }) => new Promise<void>(() => signal.addEventListener('abort', () => resolve())),
    });
    const other = await connectControl(sockets, address);
    const lost = assert.rejects(other.call('follow'), { code: 'MR_CONTROL_LOST' });
    await other.call('unknown').catch(() => {});
    other.close();
    await promise;
    await lost;
  });
});

describe('lines of the control protocol', () => {
  test('are cut from any pieces, characters of several bytes included', () => {
    const bytes = new TextEncoder().encode('één\nzwei\r\n\n日本\nrest');
    for (const size of [1, 2, 3, 100]) {
      const lines: string[] = [];
      const read = lineReader(100, (line) => lines.push(line), assert.fail);
      for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
      assert.deepEqual(lines, ['één', 'zwei\r', '日本']);
    }
  });

  test('above the limit are dropped once, whole, and the next line is read', () => {
    const lines: string[] = [];
    let dropped = 0;
    const read = lineReader(
      4,
      (line) => lines.push(line),
      () => dropped++,
    );
    for (const part of ['abc', 'de', 'fgh', 'ijkl\nab', 'cd\nabcde\nok\n']) read(new TextEncoder().encode(part));
    assert.deepEqual([lines, dropped], [['abcd', 'ok'], 2]);
  });
});
