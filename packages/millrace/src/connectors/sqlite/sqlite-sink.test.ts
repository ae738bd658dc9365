import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSqlite } from '../../runtime/sqlite.ts';
import { driveSink } from '../drive.ts';
import { type SqliteSinkOptions, sqliteSink } from './sqlite-sink.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = () => join(folder, `${files++}.db`);

interface Alert {
  readonly device: string;
  readonly z?: number | null;
  readonly at?: number;
}

async function open<T = Alert>(options: Partial<SqliteSinkOptions<T>> = {}) {
  const path = options.path ?? newPath();
  const sink = await driveSink(sqliteSink<T>({ table: 'alerts', ...options, path }));
  return { path, sink, rows: (sql = 'SELECT * FROM alerts') => query(path, sql) };
}

function query(path: string, sql: string) {
  const database = openSqlite(path);
  const rows = database
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }));
  database.close();
  return rows;
}

test('makes the table from the first row, and adds a row per value', async () => {
  const { sink, rows } = await open();
  await sink.write([
    { device: 'd1', z: 2.5 },
    { device: 'd2', z: 3 },
  ]);
  await sink.write([{ device: 'd1', z: 2.5 }]);
  await sink.close?.();
  assert.deepEqual(rows(), [
    { device: 'd1', z: 2.5 },
    { device: 'd2', z: 3 },
    { device: 'd1', z: 2.5 },
  ]);
});

test('with a key a row replaces the one there is: writing again changes nothing', async () => {
  const { sink, rows } = await open({ key: ['device', 'at'] });
  const batch = [
    { device: 'd1', at: 1, z: 2 },
    { device: 'd1', at: 2, z: 3 },
    { device: 'd1', at: 1, z: 9 },
  ];
  await sink.write(batch);
  await sink.write(batch);
  assert.deepEqual(rows(), [
    { device: 'd1', at: 1, z: 9 },
    { device: 'd1', at: 2, z: 3 },
  ]);
  assert.equal(sqliteSink({ path: 'p', table: 't', key: ['k'] }).mode, 'upsert');
  assert.equal(sqliteSink({ path: 'p', table: 't' }).mode, 'transactional');
});

test('a row of key columns alone is kept once', async () => {
  const { sink, rows } = await open({ key: ['device'] });
  await sink.write([{ device: 'd1' }, { device: 'd1' }, { device: 'd2' }]);
  assert.deepEqual(rows(), [{ device: 'd1' }, { device: 'd2' }]);
});

test('writes every kind of value that SQLite has', async () => {
  const { sink, rows } = await open<Record<string, unknown>>();
  const row = {
    text: 'ä"\'',
    whole: 2 ** 40,
    part: 1.5,
    big: 2n ** 40n,
    yes: true,
    no: false,
    bytes: Uint8Array.of(0, 255),
    none: null,
  };
  await sink.write([row]);
  assert.deepEqual(rows(), [{ ...row, big: 2 ** 40, yes: 1, no: 0 }]);
});

test('row says what is written of a value', async () => {
  const { sink, rows } = await open<Alert & { last: readonly number[] }>({
    row: ({ device, last }) => ({ name: device, last: JSON.stringify(last) }),
  });
  await sink.write([{ device: 'd', last: [1, 2] }]);
  assert.deepEqual(rows(), [{ name: 'd', last: '[1,2]' }]);
});

test('create makes the table, before the first row', async () => {
  const { sink, rows } = await open({
    create: "CREATE TABLE alerts (device TEXT NOT NULL, z REAL DEFAULT 7, note TEXT DEFAULT 'none')",
  });
  assert.deepEqual(rows('SELECT count(*) AS n FROM alerts'), [{ n: 0 }]);
  await sink.write([{ device: 'd' }]);
  assert.deepEqual(rows(), [{ device: 'd', z: 7, note: 'none' }]);
});

test('create is for a missing table only, and must make the one that is written to', async () => {
  const { path, sink } = await open();
  await sink.write([{ device: 'd' }]);
  const again = await open({ path, create: 'CREATE TABLE alerts (device TEXT)' });
  await again.sink.write([{ device: 'e' }]);
  assert.equal(again.rows().length, 2);
  await assert.rejects(open({ create: 'CREATE TABLE other (device TEXT)' }), { code: 'MR_SQLITE_CREATE' });
  await assert.rejects(open({ create: 'CREATE TABEL alerts' }), { code: 'MR_SQLITE_WRITE', message: /syntax error/ });
});

test('a column that a row leaves out keeps its default, or what it had', async () => {
  const { sink, rows } = await open({ key: ['device'] });
  await sink.write([
    { device: 'd', z: 1, at: 5 },
    { device: 'd', at: 6 },
    { device: 'e', z: null, at: 7 },
  ]);
  await sink.write([{ device: 'd', z: undefined, at: 8 } as unknown as Alert]);
  assert.deepEqual(rows(), [
    { device: 'd', z: 1, at: 8 },
    { device: 'e', z: null, at: 7 },
  ]);
});

test('a column that the table lacks is an error that names both, and nothing of the batch is written', async () => {
  const { sink, rows } = await open();
  await sink.write([{ device: 'd' }]);
  await assert.rejects(sink.write([{ device: 'fine' }, { device: 'e', z: 4 }]), (error: Error & { code: string }) => {
    assert.equal(error.code, 'MR_SQLITE_WRITE');
    assert.match(error.message, /no column named z/);
    assert.match(error.message, /has the columns device \(row: \{ device: 'e', z: 4 \}\)/);
    return true;
  });
  assert.deepEqual(rows(), [{ device: 'd' }]);
});

test('a first batch that fails leaves no table behind, and the next one makes it', async () => {
  const { sink, rows } = await open<Record<string, unknown>>();
  await assert.rejects(sink.write([{ a: 1 }, { b: 2 }]));
  assert.deepEqual(rows('SELECT name FROM sqlite_master'), []);
  await sink.write([{ b: 2 }]);
  assert.deepEqual(rows(), [{ b: 2 }]);
});

test('what is no row is refused with the reason', async () => {
  const { sink } = await open<unknown>({ key: ['device'] });
  const reasons: [value: unknown, why: RegExp][] = [
    [{ device: 'd', last: [1] }, /column 'last' is \[ 1 \]/],
    [{ device: 'd', z: Number.NaN }, /column 'z' is NaN/],
    [{ device: 'd', z: 2n ** 63n }, /column 'z' is 9223372036854775808n/],
    [{ device: null, z: 1 }, /key column 'device' is empty/],
    [{ z: 1 }, /key column 'device' is empty/],
    ['text', /the row is 'text'/],
    [null, /the row is null/],
  ];
  for (const [value, why] of reasons)
    await assert.rejects(sink.write([value]), { code: 'MR_SQLITE_ROW', message: why });
  await assert.rejects((await open<unknown>()).sink.write([{}]), { code: 'MR_SQLITE_ROW', message: /no column/ });
});

test('a key that the table has no unique index for is an error', async () => {
  const { sink } = await open({ create: 'CREATE TABLE alerts (device TEXT)', key: ['device'] });
  await assert.rejects(sink.write([{ device: 'd' }]), { code: 'MR_SQLITE_WRITE', message: /ON CONFLICT/ });
});

test('any name is a name', async () => {
  const table = 'select "x"; drop table y';
  const { sink, rows } = await open<Record<string, unknown>>({ table, key: ['or"der'] });
  await sink.write([
    { 'or"der': 1, 'group by': 2 },
    { 'or"der': 1, 'group by': 3 },
  ]);
  assert.deepEqual(rows('SELECT * FROM "select ""x""; drop table y"'), [{ 'or"der': 1, 'group by': 3 }]);
});

test('a lock that another process holds is an error that a retry can mend', async () => {
  const { path, sink, rows } = await open({ create: 'CREATE TABLE alerts (device TEXT)' });
  const other = openSqlite(path);
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(sink.write([{ device: 'd' }]), { code: 'MR_SQLITE_BUSY', retriable: true });
  other.exec('ROLLBACK');
  other.close();
  await sink.write([{ device: 'd' }]);
  assert.equal(rows().length, 1);
});

test('a database that cannot be opened is named', async () => {
  await assert.rejects(open({ path: folder }), { code: 'MR_SQLITE_OPEN' });
});

test('a key without columns is refused', () => {
  assert.throws(() => sqliteSink({ path: 'p', table: 't', key: [] }), { code: 'MR_OPTION' });
});
