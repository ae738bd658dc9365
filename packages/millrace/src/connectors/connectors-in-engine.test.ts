/** Connectors through the real engine, in virtual time. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTopology } from '../engine/start.ts';
import { fileLines, fileSink, stdoutSink } from '../file.ts';
import { flatMap, generatorSpout, type Topology, topology } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { simulatedRuntime } from '../runtime/simulated.ts';
import { openSqlite } from '../runtime/sqlite.ts';
import { socketLines } from '../socket.ts';
import { sqliteSink } from '../sqlite.ts';

async function start(built: Topology) {
  const runtime = simulatedRuntime({ seed: 7 });
  const { clock, timers, files, sockets } = runtime;
  const ledger = memoryLedger();
  let printed = '';
  const stdout = {
    write(text: string) {
      printed += text;
      return true;
    },
    onDrain() {},
  };
  const go = async () => {
    const starting = startTopology(built.build(), {
      runtime,
      ledger,
      resources: new Map<string, unknown>(Object.entries({ clock, timers, files, sockets, stdout })),
      guarantee: 'at-least-once',
      freeze: true,
      encodeEdges: true,
      log: () => {},
    });
    return runtime.until(starting);
  };
  return {
    runtime,
    ledger,
    go,
    printed: () => printed,
    text: (path: string) => new TextDecoder().decode(files.content(path)),
  };
}

test('a file through the topology into a file; the topology completes with it', async () => {
  const { runtime, ledger, go, text } = await start(
    topology('words', (t) => {
      const lines = t.spout('lines', fileLines('in.txt', { maxLineBytes: 30 }), { parallelism: 2 });
      const words = t.bolt(
        'words',
        lines.shuffle(),
        flatMap((line) => line.split(' ')),
      );
      t.sink('out', words.shuffle(), fileSink('out.txt'));
    }),
  );
  runtime.files.put('in.txt', `the mill race\r\n${'x'.repeat(40)}\nturns the wheel`);
  const running = await go();
  await runtime.until(running.done);
  assert.equal(running.state, 'completed');
  assert.equal(text('out.txt'), 'the\nmill\nrace\nturns\nthe\nwheel\n');
  const [entry] = ledger.list();
  assert.deepEqual([entry?.cause, entry?.origin], ['malformed', { spout: 'lines', split: 'in.txt', position: 15 }]);
});

test('a paced generator onto standard output', async () => {
  const { runtime, go, printed } = await start(
    topology('ticks', (t) => {
      const numbers = t.spout(
        'numbers',
        generatorSpout(() => [1, 2, 3, 4, 5], { rate: 1 }),
      );
      t.sink('screen', numbers.shuffle(), stdoutSink({ format: (n: number) => `n=${n}` }));
    }),
  );
  const running = await go();
  await runtime.advance('2500ms');
  assert.equal(printed(), 'n=1\nn=2\nn=3\n');
  await runtime.until(running.done);
  assert.equal(printed(), 'n=1\nn=2\nn=3\nn=4\nn=5\n');
});

test('lines over a socket into a file, until the topology is stopped', async () => {
  const { runtime, go, text } = await start(
    topology('net', (t) => {
      const lines = t.spout('lines', socketLines({ port: 9999 }));
      t.sink('out', lines.shuffle(), fileSink('out.txt'));
    }),
  );
  const running = await go();
  const client = await runtime.until(runtime.sockets.connect({ host: '127.0.0.1', port: 9999 }));
  client.write(Buffer.from('a\nb\n'));
  await runtime.advance('1s');
  assert.equal(text('out.txt'), 'a\nb\n');
  client.write(Buffer.from('c\n'));
  await runtime.settle();
  await runtime.until(runtime.within(() => running.stop()));
  assert.equal(text('out.txt'), 'a\nb\nc\n');
});

test('values into a table by key', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'));
  const path = join(folder, 'counts.db');
  const { runtime, go } = await start(
    topology('rows', (t) => {
      const values = Array.from({ length: 2_500 }, (_, i) => ({ device: `d${i % 3}`, seen: i }));
      const readings = t.spout(
        'readings',
        generatorSpout(() => values),
      );
      t.sink('table', readings.shuffle(), sqliteSink({ path, table: 'latest', key: ['device'] }), { parallelism: 2 });
    }),
  );
  const running = await go();
  await runtime.until(running.done);
  const database = openSqlite(path);
  const rows = database.prepare('SELECT device FROM latest ORDER BY device').all();
  database.close();
  rmSync(folder, { recursive: true });
  assert.deepEqual(
    rows.map(({ device }) => device),
    ['d0', 'd1', 'd2'],
  );
});
