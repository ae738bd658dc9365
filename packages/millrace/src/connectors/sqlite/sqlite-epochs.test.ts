import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSqlite } from '../../runtime/sqlite.ts';
import { driveEpochs } from '../drive.ts';
import { epochWriterSuite } from '../epoch-writer-suite.fixture.ts';
import { sqliteSink } from './sqlite-sink.ts';

epochWriterSuite('sqliteSink', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
  const path = join(folder, 'rows.db');
  const sink = sqliteSink<string>({
    path,
    table: 'rows',
    row: (text) => ({ text }),
    create: 'CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)',
  });
  const query = openSqlite(path);
  return {
    sink,
    visible: () =>
      query
        .prepare('SELECT text FROM rows ORDER BY id')
        .all()
        .map(({ text }) => String(text)),
    break: () => {
      query.exec(
        "CREATE TRIGGER refuse BEFORE INSERT ON rows WHEN NEW.text LIKE 'c' OR NEW.text = 'b2999' BEGIN SELECT RAISE(ABORT, 'no'); END",
      );
      return () => query.exec('DROP TRIGGER refuse');
    },
    close: () => {
      query.close();
      rmSync(folder, { recursive: true });
    },
  };
});

function database(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
  const path = join(folder, 'rows.db');
  const query = openSqlite(path);
  t.after(() => {
    query.close();
    rmSync(folder, { recursive: true });
  });
  const rows = (sql: string) =>
    query
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  return { path, query, rows };
}

const first = { incarnation: 1, number: 1 };
const second = { incarnation: 1, number: 2 };

test('a row is in its table as it was given, after it has waited in a checkpoint', async (t) => {
  const { path, rows } = database(t);
  const writer = await driveEpochs(sqliteSink<Record<string, unknown>>({ path, table: 'rows' }));
  await writer.claim(1);
  const row = {
    text: 'ä',
    part: 0.5,
    big: 2n ** 40n,
    yes: true,
    bytes: Uint8Array.of(0, 255),
    none: null,
    not: undefined,
  };
  await writer.publish(first, [row, { text: 'only' }]);
  const { not: _, ...written } = { ...row, big: 2 ** 40, yes: 1 };
  const nothing = { part: null, big: null, yes: null, bytes: null, none: null };
  assert.deepEqual(rows('SELECT * FROM rows'), [written, { ...nothing, text: 'only' }]);
  await writer.close();
});

test('an epoch whose rows the table refuses leaves the table as it was, and can be published once that is mended', async (t) => {
  const { path, query, rows } = database(t);
  const writer = await driveEpochs(sqliteSink<{ n: number; more?: string }>({ path, table: 'rows' }));
  await writer.claim(1);
  await writer.publish(first, [{ n: 1 }]);
  const publishing = writer.publish(second, [{ n: 2 }, { n: 3, more: 'x' }]);
  await assert.rejects(publishing, {
    code: 'MR_SQLITE_WRITE',
    retriable: true,
    message: /\(row: \{ n: 3, more: 'x' \}\)/,
  });
  assert.deepEqual(rows('SELECT * FROM rows'), [{ n: 1 }]);
  query.exec('ALTER TABLE rows ADD COLUMN more TEXT');
  await writer.publish(second, [{ n: 2 }, { n: 3, more: 'x' }]);
  assert.equal(rows('SELECT * FROM rows').length, 3);
  await writer.close();
});

test('sinks of one database, and of one table, go on by themselves', async (t) => {
  const { path, rows } = database(t);
  const sink = sqliteSink<{ n: number }>({ path, table: 'rows' });
  const [a, b] = [await driveEpochs(sink, { component: 'a' }), await driveEpochs(sink, { component: 'b' })];
  await a.claim(4);
  assert.equal(await b.claim(1), undefined);
  await a.publish({ incarnation: 4, number: 9 }, [{ n: 1 }]);
  await b.publish(first, [{ n: 2 }]);
  assert.deepEqual(rows('SELECT n FROM rows'), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(rows('SELECT sink, claimed, incarnation, number FROM _millrace_epochs'), [
    { sink: 'a', claimed: 4, incarnation: 4, number: 9 },
    { sink: 'b', claimed: 1, incarnation: 1, number: 1 },
  ]);
  for (const writer of [a, b]) await writer.close();
});

test('a lock that another process holds delays an epoch, and is told as what it is', async (t) => {
  const { path, query, rows } = database(t);
  const writer = await driveEpochs(sqliteSink<{ n: number }>({ path, table: 'rows' }));
  await writer.claim(1);
  query.exec('BEGIN IMMEDIATE');
  await assert.rejects(writer.publish(first, [{ n: 1 }]), { code: 'MR_SQLITE_BUSY', retriable: true });
  query.exec('ROLLBACK');
  await writer.publish(first, [{ n: 1 }]);
  assert.deepEqual(rows('SELECT * FROM rows'), [{ n: 1 }]);
  await writer.close();
});

test('a sink whose claim somebody has deleted publishes nothing more', async (t) => {
  const { path, query } = database(t);
  const writer = await driveEpochs(sqliteSink<{ n: number }>({ path, table: 'rows' }));
  await writer.claim(1);
  query.exec('DELETE FROM _millrace_epochs');
  await assert.rejects(writer.publish(first, [{ n: 1 }]), {
    code: 'MR_SQLITE_WRITE',
    message: /_millrace_epochs is gone/,
  });
  await writer.close();
});

test('with a key there are no epochs: rows are replaced at once', () => {
  assert.equal(sqliteSink({ path: 'p', table: 't', key: ['k'] }).epochs, undefined);
});
