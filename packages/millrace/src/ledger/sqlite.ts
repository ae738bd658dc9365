/**
 * A ledger in one SQLite file. Entries that arrive within a few milliseconds of each other are written in one synced
 * transaction, and only then are their promises kept. Other processes may read the file while this one writes.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { MillraceError, messageOf } from '../errors.ts';
import type { Timers } from '../runtime/runtime.ts';
import { openSqlite } from '../runtime/sqlite.ts';
import type { Ledger, LedgerCause, LedgerEntry, LedgerQuery, NewEntry } from './ledger.ts';
import { type LedgerLimits, limitsOf, type Shed } from './limits.ts';
import { entryWriter } from './sqlite-writer.ts';

/** How long the first entry of a group waits for others to share its transaction and its sync. */
const WINDOW_MS = 5;
/**
 * A group this large is written at once: so many entries, or bytes of payload, wait in memory and no more. Writing it
 * holds up the event loop for some milliseconds.
 */
const GROUP_ENTRIES = 256;
const GROUP_BYTES = 4 * 1024 * 1024;

/** The version of the table, in the file's `user_version`. */
const VERSION = 1;
const TABLE = `
  BEGIN IMMEDIATE;
  CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    topology TEXT NOT NULL,
    component TEXT NOT NULL,
    input TEXT,
    cause TEXT NOT NULL,
    detail TEXT NOT NULL,
    spout TEXT,
    split TEXT,
    position INTEGER,
    time REAL,
    encoding TEXT NOT NULL,
    payload BLOB,
    shed INTEGER NOT NULL,
    replayed REAL
  );
  CREATE INDEX IF NOT EXISTS entries_by_age ON entries (at);
  CREATE INDEX IF NOT EXISTS entries_by_place ON entries (topology, component, cause, shed);
  CREATE INDEX IF NOT EXISTS entries_with_payload ON entries (seq) WHERE length(payload) > 0;
  PRAGMA user_version = ${VERSION};
  COMMIT;`;

export interface SqliteLedgerOptions extends LedgerLimits {
  readonly timers: Timers;
}

interface Waiting {
  readonly entry: NewEntry;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function sqliteLedger(path: string, options: SqliteLedgerOptions): Ledger {
  const { timers, ...limits } = options;
  const { onShed } = limitsOf(limits);
  const database = open(path);
  const write = entryWriter(database, limits);
  let group: Waiting[] = [];
  let groupBytes = 0;
  let cancel = () => {};

  function commit(): void {
    cancel();
    const waiting = group;
    group = [];
    groupBytes = 0;
    if (waiting.length === 0) return;
    let shed: Shed;
    try {
      shed = write(waiting.map(({ entry }) => entry));
    } catch (error) {
      for (const { reject } of waiting) reject(notWritten(path, waiting.length, error));
      return;
    }
    for (const { resolve } of waiting) resolve();
    if (shed.payloads > 0) onShed(shed);
  }

  const one = database.prepare('SELECT * FROM entries WHERE id = ?');
  const grouped = database.prepare(`SELECT topology, component, cause, count(*) AS count, sum(shed) AS shed
    FROM entries GROUP BY topology, component, cause ORDER BY topology, component, cause`);
  const mark = database.prepare('UPDATE entries SET replayed = ? WHERE id = ?');
  return {
    record: (entry) =>
      new Promise((resolve, reject) => {
        group.push({ entry, resolve, reject });
        groupBytes += entry.payload?.byteLength ?? 0;
        if (group.length >= GROUP_ENTRIES || groupBytes >= GROUP_BYTES) commit();
        else if (group.length === 1) cancel = timers.after(WINDOW_MS, commit);
      }),
    list: (query = {}) => select(database, query),
    get(id) {
      const row = one.get(id);
      return row && entryOf(row);
    },
    counts: () => grouped.all().map((row) => ({ ...row }) as unknown as ReturnType<Ledger['counts']>[number]),
    markReplayed(id, at) {
      try {
        mark.run(at, id);
      } catch (error) {
        throw notWritten(path, 1, error);
      }
    },
    async close() {
      commit();
      database.close();
    },
  };
}

function notWritten(path: string, entries: number, error: unknown): MillraceError<'MR_LEDGER_WRITE'> {
  return new MillraceError('MR_LEDGER_WRITE', [path, entries, messageOf(error)], error);
}

function open(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = openSqlite(path);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > VERSION) throw new Error(`a newer Millrace wrote it (version ${version}, this one knows ${VERSION})`);
    if (version < VERSION) database.exec(TABLE);
    return database;
  } catch (error) {
    database?.close();
    throw new MillraceError('MR_LEDGER_OPEN', [path, messageOf(error)], error);
  }
}

function select(database: DatabaseSync, query: LedgerQuery): readonly LedgerEntry[] {
  const wanted: [column: string, value: SQLInputValue | undefined][] = [
    ['topology', query.topology],
    ['component', query.component],
    ['cause', query.cause],
  ];
  const given = wanted.filter((pair): pair is [string, SQLInputValue] => pair[1] !== undefined);
  const where = given.map(([column]) => `${column} = ?`).join(' AND ');
  const select = `SELECT * FROM entries ${where && `WHERE ${where}`} ORDER BY seq DESC LIMIT ?`;
  return database
    .prepare(select)
    .all(...given.map(([, value]) => value), query.limit ?? 100)
    .map(entryOf);
}

function entryOf(row: Record<string, SQLOutputValue>): LedgerEntry {
  return {
    id: String(row.id),
    at: Number(row.at),
    topology: String(row.topology),
    component: String(row.component),
    input: textOf(row.input),
    cause: row.cause as LedgerCause,
    detail: String(row.detail),
    origin:
      row.spout === null
        ? undefined
        : { spout: String(row.spout), split: String(row.split), position: Number(row.position) },
    // SQLite has no NaN: it stores it as NULL.
    time: row.time === null ? Number.NaN : Number(row.time),
    encoding: row.encoding as LedgerEntry['encoding'],
    payload: row.payload as Uint8Array | null,
    shed: row.shed === 1,
    replayed: row.replayed === null ? undefined : Number(row.replayed),
  };
}

function textOf(value: SQLOutputValue | undefined): string | undefined {
  return value === null ? undefined : String(value);
}
