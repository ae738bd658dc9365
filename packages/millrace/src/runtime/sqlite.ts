/**
 * Node's own SQLite, which is a way to the disk and so a part of the runtime (law 11). One place opens it, for the
 * ledger and for connectors, because Node 22 prints a warning when its module is first loaded: there `node:sqlite` is still
 * marked experimental. We use it knowingly (docs/decisions/0201-node-sqlite.md); the user of a topology did not choose
 * it and cannot act on the warning. It is held back for that one load, and no other warning is.
 */
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

type Sqlite = typeof import('node:sqlite');

let loaded: Sqlite | undefined;

function load(): Sqlite {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).startsWith('SQLite')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * Opens a database file, and makes it and its folders if they are missing. In WAL mode, so that other processes read
 * while this one writes, and each commit is synced: what is committed survives a power loss.
 */
export function openSqlite(path: string): DatabaseSync {
  loaded ??= load();
  mkdirSync(dirname(resolve(path)), { recursive: true });
  const database = new loaded.DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
