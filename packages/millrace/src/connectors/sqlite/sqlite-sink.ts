/**
 * `sqliteSink`: each value as a row of a SQLite table, a batch in one transaction. With a `key` a row replaces the one
 * of the same key, so a replay changes nothing (`upsert`); without, a replay adds the row again (`append`).
 *
 * The columns are those that a row has: one prepared statement for each set of columns seen. So a row may leave a column
 * out (its default, or on a replaced row what it had), and a column that the table lacks is an error of SQLite's own.
 */
import { shown } from '../../codec/shown.ts';
import { MillraceError, messageOf } from '../../errors.ts';
import { openSqlite } from '../../runtime/sqlite.ts';
import type { Sink, SinkWriter, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import type { Task } from '../../topology/task.ts';
import { createTable, insert } from './sql.ts';

/** What a column can hold. true and false are written as 1 and 0, undefined is as if the column were not there. */
export type SqliteValue = string | number | bigint | boolean | Uint8Array | null | undefined;
export type SqliteRow = { readonly [column: string]: SqliteValue };

export interface SqliteSinkOptions<T> {
  /** The database file; made with its folders if it is missing. */
  readonly path: string;
  readonly table: string;
  /** The row of a value. By default the value's own properties. */
  readonly row?: (value: T) => SqliteRow;
  /** Columns that identify a row: it replaces the one there is. The table needs them as its primary key, or unique. */
  readonly key?: readonly string[];
  /** Makes the table if it is missing: 'CREATE TABLE …'. By default it is made from the first row. */
  readonly create?: string;
}

export function sqliteSink<T>(options: SqliteSinkOptions<T>): Sink<Takes<T>> {
  const { table, key } = options;
  if (key?.length === 0)
    throw new MillraceError('MR_OPTION', [`table ${table}`, 'key', key, 'a list of at least one column']);
  return sink<T>({
    mode: key ? 'upsert' : 'append',
    // A commit is a sync: ten a second cost little, and whoever queries the table does not see the delay.
    batch: { size: 1000, every: '100ms' },
    open: (task) => new SqliteWriter(task, options),
  });
}

type Database = ReturnType<typeof openSqlite>;
type Statement = ReturnType<Database['prepare']>;
type Bound = string | number | bigint | Uint8Array | null;

/**
 * Milliseconds that a write waits for another process's lock. Nothing else runs meanwhile, so it is short: the engine
 * tries again, and waits longer each time, without standing still.
 */
const BUSY_TIMEOUT = 50;
/** Sets of columns whose statements are kept. */
const MOST_STATEMENTS = 64;

class SqliteWriter<T> implements SinkWriter<T> {
  readonly #task: Task;
  readonly #options: SqliteSinkOptions<T>;
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  #exists: boolean;

  constructor(task: Task, options: SqliteSinkOptions<T>) {
    this.#task = task;
    this.#options = options;
    const { path, table, create } = options;
    try {
      this.#database = openSqlite(path);
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    } catch (thrown) {
      throw new MillraceError('MR_SQLITE_OPEN', [task.component, path, messageOf(thrown)], thrown);
    }
    this.#exists = this.#columns().length > 0;
    if (this.#exists || create === undefined) return;
    this.#run(create);
    this.#exists = this.#columns().length > 0;
    if (!this.#exists) throw new MillraceError('MR_SQLITE_CREATE', [task.component, table, create]);
  }

  /** All rows or none. Synchronous, so the tasks of one process never meet inside a transaction. */
  write(values: readonly T[]): void {
    const rows = values.map((value) => this.#rowOf(value));
    this.#run('BEGIN IMMEDIATE');
    try {
      for (const [i, row] of rows.entries()) this.#insert(row, values[i]!);
      this.#run('COMMIT');
    } catch (thrown) {
      this.#rollBack();
      throw thrown;
    }
  }

  close(): void {
    this.#database.close();
  }

  /** Entries of [column, value], in the order of the value's properties. */
  #rowOf(value: T): [string, Bound][] {
    const row = this.#options.row ? this.#options.row(value) : (value as SqliteRow);
    if (typeof row !== 'object' || row === null || Array.isArray(row)) this.#refuse(value, `the row is ${shown(row)}`);
    const entries: [string, Bound][] = [];
    for (const column of Object.keys(row)) {
      const cell: unknown = row[column];
      if (cell !== undefined) entries.push([column, this.#bound(column, cell, value)]);
    }
    for (const column of this.#options.key ?? []) {
      const cell = entries.find(([name]) => name === column)?.[1];
      if (cell === undefined || cell === null) this.#refuse(value, `its key column '${column}' is empty`);
    }
    if (entries.length === 0) this.#refuse(value, 'the row has no column');
    return entries;
  }

  #bound(column: string, cell: unknown, value: T): Bound {
    if (typeof cell === 'boolean') return cell ? 1 : 0;
    if (typeof cell === 'number' && Number.isNaN(cell)) this.#refuse(value, `column '${column}' is NaN`);
    if (cell === null || typeof cell === 'string' || typeof cell === 'number' || typeof cell === 'bigint') return cell;
    if (cell instanceof Uint8Array) return cell;
    return this.#refuse(value, `column '${column}' is ${shown(cell)}`);
  }

  #insert(row: readonly [string, Bound][], value: T): void {
    try {
      if (!this.#exists) {
        this.#database.exec(createTable(this.#options.table, row, this.#options.key));
        this.#exists = true;
      }
      this.#statement(row).run(...row.map(([, cell]) => cell));
    } catch (thrown) {
      this.#failed(thrown, value);
    }
  }

  #statement(row: readonly [string, Bound][]): Statement {
    const columns = row.map(([column]) => column);
    const id = columns.join('\0');
    let statement = this.#statements.get(id);
    if (statement === undefined) {
      statement = this.#database.prepare(insert(this.#options.table, columns, this.#options.key));
      if (this.#statements.size === MOST_STATEMENTS) this.#statements.clear();
      this.#statements.set(id, statement);
    }
    return statement;
  }

  #columns(): readonly string[] {
    const rows = this.#database.prepare('SELECT name FROM pragma_table_info(?)').all(this.#options.table);
    return rows.map(({ name }) => String(name));
  }

  #run(sql: string): void {
    try {
      this.#database.exec(sql);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** After some errors (a full disk) SQLite has rolled back itself. A table made in the transaction is gone with it. */
  #rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#exists = this.#columns().length > 0;
  }

  #failed(thrown: unknown, value?: T): never {
    const { path, table } = this.#options;
    const cause = messageOf(thrown);
    const { component } = this.#task;
    const errcode = (thrown as { readonly errcode?: number }).errcode;
    if (errcode !== undefined && BUSY.has(errcode & 0xff))
      throw new MillraceError('MR_SQLITE_BUSY', [component, path], thrown);
    const of = value === undefined ? '' : ` (value: ${shown(value)})`;
    const columns = this.#columns();
    const has = columns.length === 0 ? 'the table does not exist' : `the table has the columns ${columns.join(', ')}`;
    throw new MillraceError('MR_SQLITE_WRITE', [component, table, path, cause, `${has}${of}`], thrown);
  }

  #refuse(value: T, why: string): never {
    throw new MillraceError('MR_SQLITE_ROW', [this.#task.component, this.#options.table, why, shown(value)]);
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED, without their extended parts. */
const BUSY: ReadonlySet<number> = new Set([5, 6]);
