/** `millrace/sqlite`: rows of a SQLite table. */
export type { SqliteRow, SqliteSinkOptions, SqliteValue } from './connectors/sqlite/sqlite-sink.ts';
export { sqliteSink } from './connectors/sqlite/sqlite-sink.ts';
