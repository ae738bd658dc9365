/** `millrace/sqlite`: rows of a SQLite table. */
export type { SqliteRow, SqliteValue } from './connectors/sqlite/sqlite-row.ts';
export type { SqliteSinkOptions } from './connectors/sqlite/sqlite-sink.ts';
export { sqliteSink } from './connectors/sqlite/sqlite-sink.ts';
