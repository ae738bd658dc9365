/** The SQL that the SQLite sink writes. Every name is quoted, so any name that SQLite allows is one. */

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const list = (names: readonly string[]) => names.map(quoted).join(', ');

/**
 * A table for rows like this one, if nobody has made it. Its columns have the affinity that keeps what is written as it
 * is: NUMERIC keeps integers and fractions alike; a column whose first value is null has none.
 */
export function createTable(
  table: string,
  row: readonly (readonly [column: string, value: unknown])[],
  key: readonly string[] = [],
): string {
  const columns = row.map(([column, value]) => {
    const affinity =
      typeof value === 'string' ? ' TEXT' : value instanceof Uint8Array ? ' BLOB' : value === null ? '' : ' NUMERIC';
    return `${quoted(column)}${affinity}${key.includes(column) ? ' NOT NULL' : ''}`;
  });
  if (key.length > 0) columns.push(`PRIMARY KEY (${list(key)})`);
  return `CREATE TABLE IF NOT EXISTS ${quoted(table)} (${columns.join(', ')})`;
}

/** One row with these columns; with a key it replaces, in the row that there is, these columns alone. */
export function insert(table: string, columns: readonly string[], key: readonly string[] | undefined): string {
  const values = columns.map(() => '?').join(', ');
  const sql = `INSERT INTO ${quoted(table)} (${list(columns)}) VALUES (${values})`;
  if (key === undefined) return sql;
  const others = columns.filter((column) => !key.includes(column));
  const update = others.map((column) => `${quoted(column)} = excluded.${quoted(column)}`).join(', ');
  return `${sql} ON CONFLICT (${list(key)}) DO ${update === '' ? 'NOTHING' : `UPDATE SET ${update}`}`;
}
