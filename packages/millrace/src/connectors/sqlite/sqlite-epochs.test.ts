import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqlite } from '../../runtime/sqlite.ts';
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
