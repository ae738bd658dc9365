import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { Timers } from '../runtime/runtime.ts';
import { openSqlite } from '../runtime/sqlite.ts';
import type { NewEntry } from './ledger.ts';
import { sqliteLedger } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-ledger-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = () => join(folder, `${++files}`, 'ledger.db');

/** Timers that fire when the test says so. */
function manualTimers(): Timers & { fire(): void; readonly waiting: number } {
  const waiting = new Set<() => void>();
  return {
    after(_ms, callback) {
      waiting.add(callback);
      return () => waiting.delete(callback);
    },
    soon: () => assert.fail('not used'),
    fire() {
      for (const callback of [...waiting]) callback();
      waiting.clear();
    },
    get waiting() {
      return waiting.size;
    },
  };
}

function entry(n: number, payload = Uint8Array.of(n)): NewEntry {
  return {
    id: `id-${n}`,
    at: n,
    topology: 'words',
    component: 'count',
    input: undefined,
    cause: 'error',
    detail: '',
    origin: { spout: 'lines', split: '0', position: n },
    time: n,
    encoding: 'record',
    payload,
  };
}

test('entries of one window are written together, and promised only then', async () => {
  const timers = manualTimers();
  const path = newPath();
  const ledger = sqliteLedger(path, { timers });
  const kept: number[] = [];
  const records = [1, 2, 3].map((n) => ledger.record(entry(n)).then(() => kept.push(n)));
  await new Promise(setImmediate);
  assert.deepEqual([kept, ledger.list().length, timers.waiting], [[], 0, 1]);
  timers.fire();
  await Promise.all(records);
  assert.deepEqual([kept, ledger.list().length], [[1, 2, 3], 3]);
  await ledger.close();
});

test('a full group does not wait for its window, so waiting entries are bounded', async () => {
  const timers = manualTimers();
  const ledger = sqliteLedger(newPath(), { timers });
  await Promise.all(Array.from({ length: 1024 }, (_, n) => ledger.record(entry(n))));
  await ledger.record(entry(2000, new Uint8Array(4 * 1024 * 1024)));
  assert.equal(ledger.counts()[0]?.count, 1025);
  assert.equal(timers.waiting, 0);
  await ledger.close();
});

test('closing writes what waits, and opening finds it again, limits included', async () => {
  const path = newPath();
  const first = sqliteLedger(path, { timers: manualTimers() });
  const recorded = Promise.all([1, 2].map((n) => first.record(entry(n, new Uint8Array(6)))));
  await first.close();
  await recorded;
  const timers = manualTimers();
  const second = sqliteLedger(path, { timers, maxPayloadBytes: 12 });
  const third = second.record(entry(3, new Uint8Array(6)));
  timers.fire();
  await third;
  assert.deepEqual(
    second.list().map(({ id, shed }) => [id, shed]),
    [
      ['id-3', false],
      ['id-2', false],
      ['id-1', true],
    ],
  );
  await second.close();
});

test('another process reads while this one has it open', async () => {
  const path = newPath();
  const timers = manualTimers();
  const ledger = sqliteLedger(path, { timers });
  const first = ledger.record(entry(1));
  timers.fire();
  await first;
  assert.deepEqual(await listElsewhere(path), ['id-1']);
  const second = ledger.record(entry(2));
  timers.fire();
  await second;
  assert.deepEqual(await listElsewhere(path), ['id-2', 'id-1']);
  await ledger.close();
});

test('what was promised is there after the process was killed', async () => {
  const path = newPath();
  const script = `
    const ledger = sqliteLedger(path, { timers: realRuntime().timers });
    await ledger.record({ ...entry, id: 'kept' });
    process.kill(process.pid, 'SIGKILL');`;
  await assert.rejects(elsewhere(path, script), { signal: 'SIGKILL' });
  assert.deepEqual(await listElsewhere(path), ['kept']);
});

test('a group that cannot be written is refused whole, and the next one is taken', async () => {
  const path = newPath();
  const timers = manualTimers();
  const ledger = sqliteLedger(path, { timers, maxEntries: 3 });
  const saboteur = openSqlite(path);
  saboteur.exec(
    `CREATE TRIGGER fail BEFORE INSERT ON entries WHEN new.id = 'id-2' BEGIN SELECT RAISE(ABORT, 'no space'); END`,
  );
  const refused = Promise.allSettled([1, 2, 3].map((n) => ledger.record(entry(n))));
  timers.fire();
  for (const outcome of await refused) {
    assert.equal(outcome.status, 'rejected');
    assert.match(outcome.reason.message, /ledger\.db could not take 3 entries: no space; what it did not take stays/);
    assert.deepEqual([outcome.reason.code, outcome.reason.retriable], ['MR_LEDGER_WRITE', true]);
  }
  assert.deepEqual(ledger.list(), []);
  saboteur.exec('DROP TRIGGER fail');
  saboteur.close();
  const taken = Promise.all([1, 2, 3].map((n) => ledger.record(entry(n))));
  timers.fire();
  await taken;
  assert.equal(ledger.list().length, 3);
  await ledger.close();
});

test('on a full disk every record is either kept or refused', { skip: process.platform === 'win32' }, async () => {
  const path = newPath();
  const script = `
    const ledger = sqliteLedger(path, { timers: realRuntime().timers });
    const kept = [], codes = new Set();
    for (let n = 0; n < 40; n++) {
      const id = 'id-' + n;
      await ledger.record({ ...entry, id, payload: new Uint8Array(50_000) }).then(() => kept.push(id), (e) => codes.add(e.code));
    }
    console.log(JSON.stringify({ kept, codes: [...codes], listed: ledger.list().map((e) => e.id).reverse() }));
    process.exit(0);`;
  const { kept, codes, listed } = await elsewhere(path, script, 'ulimit -f 1000;');
  assert.ok(kept.length > 0 && kept.length < 40, `kept ${kept.length}`);
  assert.deepEqual(codes, ['MR_LEDGER_WRITE']);
  assert.deepEqual(listed, kept);
  assert.deepEqual((await listElsewhere(path)).reverse(), kept);
});

test('a file that cannot be opened, or is no ledger, is refused with its path and the reason', () => {
  const timers = manualTimers();
  const text = join(folder, 'text');
  writeFileSync(text, 'no database, but long enough to be looked at as one'.repeat(100));
  assert.throws(() => sqliteLedger(text, { timers }), {
    code: 'MR_LEDGER_OPEN',
    message: /text cannot be opened: file is not a database/,
  });
  assert.throws(() => sqliteLedger(join(text, 'ledger.db'), { timers }), { code: 'MR_LEDGER_OPEN', message: /text/ });
});

test('a file that a newer version wrote is refused', () => {
  const path = newPath();
  const newer = openSqlite(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  assert.throws(() => sqliteLedger(path, { timers: manualTimers() }), {
    code: 'MR_LEDGER_OPEN',
    message: /newer Millrace/,
  });
});

test('SQLite prints no warning, and other warnings still come through', () => {
  const script = `import { openSqlite } from ${JSON.stringify(new URL('../runtime/sqlite.ts', import.meta.url).href)};
    openSqlite(':memory:').close();
    process.emitWarning('SQLite of somebody else', 'ExperimentalWarning');`;
  const { stderr } = runNode(script);
  assert.doesNotMatch(stderr, /SQLite is/);
  assert.match(stderr, /SQLite of somebody else/);
});

function runNode(script: string): { readonly stderr: string } {
  const log = join(folder, 'stderr');
  const arguments_ = ['--conditions=@millrace/source', '--input-type=module', '--eval', script];
  execFileSync('sh', ['-c', `"$0" "$@" 2>${log}`, process.execPath, ...arguments_], { cwd: folder });
  return { stderr: execFileSync('cat', [log], { encoding: 'utf8' }) };
}

/** Runs a script in a process of its own, with the ledger's modules, `path` and an `entry` at hand; reads its JSON. */
async function elsewhere(
  path: string,
  script: string,
  limits = '',
): Promise<{ kept: string[]; codes: string[]; listed: string[] }> {
  const module = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const whole = `
    import { sqliteLedger } from ${module('./sqlite.ts')};
    import { realRuntime } from ${module('../runtime/real.ts')};
    const path = ${JSON.stringify(path)};
    const entry = { ...${JSON.stringify({ ...entry(1), payload: null })}, input: undefined };
    ${script}`;
  const arguments_ = ['--conditions=@millrace/source', '--input-type=module', '--eval', whole];
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    `${limits} exec "$0" "$@"`,
    process.execPath,
    ...arguments_,
  ]);
  return JSON.parse(stdout);
}

async function listElsewhere(path: string): Promise<string[]> {
  const script = `
    const ledger = sqliteLedger(path, { timers: realRuntime().timers });
    console.log(JSON.stringify({ listed: ledger.list().map((entry) => entry.id) }));
    await ledger.close();`;
  return (await elsewhere(path, script)).listed;
}
