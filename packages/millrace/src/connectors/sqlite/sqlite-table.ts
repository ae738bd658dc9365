/**
 * The table that a SQLite sink writes to, and its transactions. Everything is synchronous, so that the tasks of one process
 * never meet inside a transaction.
 *
 * The columns are those that a row has: one prepared statement for each set of columns seen. So a row may leave a column
 * out (its default, or on a replaced row what it had), and a column that the table lacks is an error of SQLite's own.
 */
import { shown } from '../../codec/shown.ts';
import { MillraceError, messageOf } from '../../errors.ts';
import { openSqlite } from '../../runtime/sqlite.ts';
import { createTable, insert } from './sql.ts';
import type { Cells } from './sqlite-row.ts';

export interface TableOptions {
  /** The database file; made with its folders if it is missing. */
  readonly path: string;
  readonly table: string;
  readonly key?: readonly string[];
  /** Makes the table if it is missing: 'CREATE TABLE …'. By default it is made from the first row. */
  readonly create?: string;
}

type Database = ReturnType<typeof openSqlite>;
export type Statement = ReturnType<Database['prepare']>;

/**
 * Milliseconds that a write waits for another process's lock. Nothing else runs meanwhile, so it is short: the engine
 * tries again, and waits longer each time, without standing still.
 */
const BUSY_TIMEOUT = 50;
/** The same before anything flows: long enough for whatever transaction another process is in the middle of. */
const BUSY_TIMEOUT_AT_START = 5000;
/** Sets of columns whose statements are kept. */
const MOST_STATEMENTS = 64;
/** SQLITE_BUSY and SQLITE_LOCKED, without their extended parts. */
const BUSY: ReadonlySet<number> = new Set([5, 6]);

export class SqliteTable {
  readonly #component: string;
  readonly #options: TableOptions;
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  #exists: boolean;

  constructor(component: string, options: TableOptions) {
    this.#component = component;
    this.#options = options;
    const { path, table, create } = options;
    try {
      this.#database = openSqlite(path);
    } catch (thrown) {
      throw new MillraceError('MR_SQLITE_OPEN', [component, path, messageOf(thrown)], thrown);
    }
    this.#exists = this.#columns().length > 0;
    if (!this.#exists && create !== undefined) {
      this.run(create);
      this.#exists = this.#columns().length > 0;
      if (!this.#exists) throw new MillraceError('MR_SQLITE_CREATE', [component, table, create]);
    }
    this.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  }

  /** All of the steps or none. */
  transaction<R>(steps: () => R): R {
    this.run('BEGIN IMMEDIATE');
    try {
      const result = steps();
      this.run('COMMIT');
      return result;
    } catch (thrown) {
      // After some errors (a full disk) SQLite has rolled back itself. A table made in the transaction is gone with it.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#exists = this.#columns().length > 0;
      if (thrown instanceof MillraceError) throw thrown;
      return this.#failed(thrown);
    }
  }

  /** The same, with the patience that a start has. */
  transactionAtStart<R>(steps: () => R): R {
    this.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_AT_START}`);
    try {
      return this.transaction(steps);
    } finally {
      this.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    }
  }

  /** Inside a transaction. Makes the table if it is missing. */
  insert(row: Cells): void {
    try {
      if (!this.#exists) {
        this.#database.exec(createTable(this.#options.table, row, this.#options.key));
        this.#exists = true;
      }
      this.#statement(row).run(...row.map(([, cell]) => cell));
    } catch (thrown) {
      this.#failed(thrown, row);
    }
  }

  run(sql: string): void {
    try {
      this.#database.exec(sql);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  prepare(sql: string): Statement {
    return this.#database.prepare(sql);
  }

  close(): void {
    this.#database.close();
  }

  #statement(row: Cells): Statement {
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

  #failed(thrown: unknown, row?: Cells): never {
    const { path, table } = this.#options;
    const errcode = (thrown as { readonly errcode?: number }).errcode;
    if (errcode !== undefined && BUSY.has(errcode & 0xff))
      throw new MillraceError('MR_SQLITE_BUSY', [this.#component, path], thrown);
    const of = row === undefined ? '' : ` (row: ${shown(Object.fromEntries(row))})`;
    const columns = this.#columns();
    const has = columns.length === 0 ? 'the table does not exist' : `the table has the columns ${columns.join(', ')}`;
    const state = `${has}${of}`;
    throw new MillraceError('MR_SQLITE_WRITE', [this.#component, table, path, messageOf(thrown), state], thrown);
  }
}
