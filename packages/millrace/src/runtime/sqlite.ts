/**
 * Node's own SQLite, which is a way to the disk and so a part of the runtime (law 11). One place opens it, for the
 * ledger and for connectors, because Node 22 prints a warning when its module is first loaded: there `node:sqlite` is still
 * marked experimental. We use it knowingly (docs/decisions/0201-node-sqlite.md); the user of a topology did not choose
 * it and cannot act on the warning. It is held back for that one load, and no other warning is.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
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
 * Opens a database file, and makes it and its folders if they are missing. In WAL mode where the disk allows it, so that
 * other processes read while this one writes. What is committed survives a power loss: in WAL mode FULL would say as much;
 * EXTRA says it for the others, too.
 */
export function openSqlite(path: string): DatabaseSync {
  loaded ??= load();
  makeFolders(dirname(resolve(path)));
  const database = new loaded.DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = EXTRA;');
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** SQLite syncs the names in the folder that it is in, and knows nothing of those above. */
function makeFolders(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  // Windows cannot open a folder; there a name is written with what it names.
  if (first === undefined || process.platform === 'win32') return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    const above = openSync(dirname(made), 'r');
    fsyncSync(above);
    closeSync(above);
  }
}
