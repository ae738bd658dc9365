/** Transactional sinks behind the real engine, in virtual time: one start after another takes over from a living one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { MemoryCheckpoints } from '../checkpoints/memory-checkpoints.fixture.ts';
import { startTopology } from '../engine/start.ts';
import { filesSink } from '../file.ts';
import { generatorSpout, map, type Topology, topology } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { simulatedRuntime } from '../runtime/simulated.ts';
import { openSqlite } from '../runtime/sqlite.ts';
import { sqliteSink } from '../sqlite.ts';

const COUNT = 600;
const FOLDER = '/out';

function rowsIn(path: string): number[] {
  const database = openSqlite(path);
  const rows = database.prepare('SELECT n FROM numbers ORDER BY rowid').all();
  database.close();
  return rows.map(({ n }) => Number(n));
}

function linesIn(storage: FaultyStorage): string[] {
  const names = storage.list(FOLDER).filter((name) => !name.startsWith('.'));
  const files = names.sort().map((name) => String(storage.bytesOf(`${FOLDER}/${name}`)));
  return files.flatMap((text) => text.split('\n').slice(0, -1));
}

/** What outlives the starts of a topology. */
function world(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-epochs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [storage, ledger, runtime] = [new FaultyStorage(), memoryLedger(), simulatedRuntime({ seed: 3 })];
  const start = (built: Topology, checkpoints: MemoryCheckpoints) =>
    runtime.until(
      startTopology(built.build(), {
        runtime,
        ledger,
        resources: new Map<string, unknown>(Object.entries({ ...runtime, storage })),
        guarantee: 'exactly-once',
        checkpoints: {
          store: checkpoints.open(),
          interval: 20,
          pause: 0,
          timeout: 60_000,
          outbox: { bytes: 1e6, total: 1e7, epochs: 100 },
          start: { renamed: new Map(), dropped: new Set() },
        },
        freeze: true,
        encodeEdges: false,
        log: () => {},
      }),
    );
  return { path: join(folder, 'numbers.db'), storage, ledger, runtime, start };
}

const numbers = [...Array(COUNT).keys()];
const inOrder = (a: number, b: number) => a - b;

test('each value is a row and a line once, however often the topology is started anew while it runs', async (t) => {
  const { path, storage, ledger, runtime, start } = world(t);
  const built = topology('numbers', (t) => {
    const values = t.spout(
      'values',
      generatorSpout(() => numbers, { rate: 1000 }),
    );
    const refused = t.bolt(
      'refused',
      values.shuffle(),
      map((n) => ({ n: n === 7 ? Number.NaN : n })),
    );
    t.sink('rows', refused.shuffle(), sqliteSink({ path, table: 'numbers' }), {
      parallelism: 3,
      onError: { exhausted: 'ledger' },
    });
    t.sink('lines', values.shuffle(), filesSink(FOLDER), { parallelism: 2 });
  });
  const checkpoints = new MemoryCheckpoints();
  const zombies = [];
  for (let i = 0; i < 4; i++) {
    zombies.push(await start(built, checkpoints));
    await runtime.advance(110);
  }
  const last = await start(built, checkpoints);
  await runtime.until(last.done);
  assert.equal(last.state, 'completed');
  const ends = await Promise.allSettled(zombies.map(({ done }) => done));
  for (const end of ends)
    assert.match(end.status === 'rejected' ? end.reason.code : end.status, /^MR_(SUPERSEDED|SINK_CLAIMED)$/);
  assert.deepEqual(linesIn(storage).map(Number).sort(inOrder), numbers);
  const rows = numbers.filter((n) => n !== 7);
  assert.deepEqual(rowsIn(path).sort(inOrder), rows);
  assert.match(ledger.list()[0]?.detail ?? '', /column 'n' is NaN/);
});

test('where the checkpoints are gone a start claims every sink above what the most advanced one remembers', async (t) => {
  const { path, storage, runtime, start } = world(t);
  const built = (rows: boolean) =>
    topology('numbers', (t) => {
      const values = t.spout(
        'values',
        generatorSpout(() => numbers),
      );
      t.sink('lines', values.shuffle(), filesSink(FOLDER));
      if (rows) t.sink('rows', values.shuffle(), sqliteSink<number>({ path, table: 'numbers', row: (n) => ({ n }) }));
    });
  const checkpoints = new MemoryCheckpoints();
  await runtime.until((await start(built(true), checkpoints)).done);
  const database = openSqlite(path);
  database.exec('UPDATE _millrace_epochs SET claimed = 50');
  database.close();
  await runtime.until((await start(built(true), new MemoryCheckpoints())).done);
  assert.equal(rowsIn(path).length, 2 * COUNT);
  for (const name of storage.list(FOLDER)) if (!name.startsWith('.')) storage.remove(`${FOLDER}/${name}`);
  await runtime.until((await start(built(false), new MemoryCheckpoints())).done);
  assert.deepEqual(linesIn(storage).map(Number), numbers);
});
