import * as fs from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { LogError } from '../errors.ts';
import { isSystemError } from './storage.ts';

/**
 * Sole ownership of a data directory. Node has no call for an operating system's file lock, but SQLite takes one for an
 * exclusive transaction, and the system drops it when the process dies, by kill -9 too; SQLite also keeps two owners
 * apart within one process. So the lock is such a transaction, left open, on an empty database. The owner's pid stands
 * in a file beside it, to be named in the error and for nothing else.
 */
export function lockDirectory(directory: string): { release(): void } {
  const ownerFile = join(directory, '.owner');
  let database: DatabaseSync;
  try {
    database = openDatabase(join(directory, '.lock'));
  } catch (error) {
    throw new LogError('KAFKA_STORAGE_ERROR', `cannot lock the data directory ${directory}: ${messageOf(error)}`, {
      cause: error,
      retriable: false,
    });
  }
  try {
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
    fs.writeFileSync(ownerFile, `${process.pid}\n`);
  } catch (error) {
    database.close();
    if (isBusy(error)) throw locked(directory, ownerFile);
    throw new LogError('KAFKA_STORAGE_ERROR', `cannot lock the data directory ${directory}: ${messageOf(error)}`, {
      cause: error,
      retriable: false,
    });
  }
  return {
    release() {
      fs.rmSync(ownerFile, { force: true });
      database.close();
    },
  };
}

function locked(directory: string, ownerFile: string): LogError {
  let owner = 'another process';
  try {
    const pid = fs.readFileSync(ownerFile, 'utf8').trim();
    if (/^\d+$/.test(pid)) owner = pid === String(process.pid) ? `this process (pid ${pid})` : `process ${pid}`;
  } catch (error) {
    // The owner is between taking the lock and writing its name, or giving it up: it stays unnamed.
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  return new LogError(
    'DATA_DIRECTORY_LOCKED',
    `the data directory ${directory} is in use by ${owner}; stop it, or give another directory`,
  );
}

function openDatabase(path: string): DatabaseSync {
  const { DatabaseSync } = quietly(() => process.getBuiltinModule('node:sqlite'));
  return new DatabaseSync(path, { timeout: 0 });
}

/** Node 22 warns that SQLite is experimental when it is loaded; a user who only opened a log should not read that. */
function quietly<T>(load: () => T): T {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

function isBusy(error: unknown): boolean {
  const SQLITE_BUSY = 5;
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
