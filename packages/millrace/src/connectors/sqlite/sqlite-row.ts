/**
 * The row of a value, as SQLite will hold it. What SQLite would refuse, or write as something else, is refused here, where
 * it concerns one value.
 */
import { shown } from '../../codec/shown.ts';
import { MillraceError } from '../../errors.ts';

/** What a column can hold. true and false are written as 1 and 0, undefined is as if the column were not there. */
export type SqliteValue = string | number | bigint | boolean | Uint8Array | null | undefined;
export type SqliteRow = { readonly [column: string]: SqliteValue };

export type Bound = string | number | bigint | Uint8Array | null;
/** In the order of the row's properties. */
export type Cells = readonly (readonly [column: string, cell: Bound])[];

export interface RowOptions<T> {
  readonly table: string;
  /** The row of a value. By default the value's own properties. */
  readonly row?: (value: T) => SqliteRow;
  /** Columns that identify a row: it replaces the one there is. The table needs them as its primary key, or unique. */
  readonly key?: readonly string[];
}

export function cellsOf<T>(value: T, { table, row: rowOf, key = [] }: RowOptions<T>): Cells {
  const refuse = (why: string): never => {
    throw new MillraceError('MR_SQLITE_ROW', [table, why, shown(value)]);
  };
  const row: SqliteRow = rowOf ? rowOf(value) : (value as SqliteRow);
  if (typeof row !== 'object' || row === null || Array.isArray(row)) refuse(`the row is ${shown(row)}`);
  const cells: [string, Bound][] = [];
  for (const column of Object.keys(row)) {
    const given: unknown = row[column];
    if (given === undefined) continue;
    const cell = typeof given === 'boolean' ? Number(given) : given;
    if (!isBound(cell)) refuse(`column '${column}' is ${shown(cell)}`);
    else cells.push([column, cell]);
  }
  for (const column of key) {
    const cell = cells.find(([name]) => name === column)?.[1];
    if (cell === undefined || cell === null) refuse(`its key column '${column}' is empty`);
  }
  if (cells.length === 0) refuse('the row has no column');
  return cells;
}

function isBound(cell: unknown): cell is Bound {
  if (typeof cell === 'number') return !Number.isNaN(cell);
  if (typeof cell === 'bigint') return BigInt.asIntN(64, cell) === cell;
  return cell === null || typeof cell === 'string' || cell instanceof Uint8Array;
}
