/** What came out, as others find it: records of topics read with read_committed, rows of tables, lines of files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface Outputs {
  /** All values of a topic, those of one partition in their order. */
  topic(name: string): readonly unknown[];
  /** All rows of a table in the order of their insertion; none while it is not there. */
  table(name: string): readonly Readonly<Record<string, unknown>>[];
  /** The lines of all files, in the order of their names. */
  files(): readonly string[];
}

export const databaseIn = (folder: string): string => join(folder, 'out.sqlite');
export const filesIn = (folder: string): string => join(folder, 'files');

export function rowsOf(folder: string, table: string): Readonly<Record<string, unknown>>[] {
  const path = databaseIn(folder);
  if (!existsSync(path)) return [];
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const found = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table);
    return found === undefined ? [] : database.prepare(`SELECT * FROM "${table}" ORDER BY rowid`).all();
  } finally {
    database.close();
  }
}

export function linesOf(folder: string): string[] {
  const files = filesIn(folder);
  if (!existsSync(files)) return [];
  const names = readdirSync(files).filter((name) => !name.startsWith('.'));
  return names.sort().flatMap((name) => readFileSync(join(files, name), 'utf8').split('\n').slice(0, -1));
}
