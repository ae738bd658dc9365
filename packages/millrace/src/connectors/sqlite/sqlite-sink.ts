/**
 * `sqliteSink`: each value as a row of a SQLite table. Rows are added epoch by epoch (`transactional`); in a run without
 * exactly-once a batch at a time, and a replay adds them again. With a `key` a row replaces the one of the same key at
 * once, so a replay changes nothing (`upsert`).
 */
import { MillraceError } from '../../errors.ts';
import type { Sink, SinkWriter, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import type { Task } from '../../topology/task.ts';
import { SqliteEpochs } from './sqlite-epochs.ts';
import { type Cells, cellsOf, type RowOptions } from './sqlite-row.ts';
import { SqliteTable, type TableOptions } from './sqlite-table.ts';

export interface SqliteSinkOptions<T> extends RowOptions<T>, TableOptions {}

export function sqliteSink<T>(options: SqliteSinkOptions<T>): Sink<Takes<T>> {
  const { table, key } = options;
  if (key?.length === 0)
    throw new MillraceError('MR_OPTION', [`table ${table}`, 'key', key, 'a list of at least one column']);
  // A commit is a sync: ten a second cost little, and whoever queries the table does not see the delay.
  const batch = { size: 1000, every: '100ms' } as const;
  const open = (task: Task) => batches(task, options);
  if (key) return sink<T>({ mode: 'upsert', batch, open });
  return sink<T, Cells>({
    mode: 'transactional',
    batch,
    open,
    epochs: { prepare: (value) => cellsOf(value, options), open: (task) => new SqliteEpochs(task, options) },
  });
}

/** Writes each batch at once, all rows or none. */
function batches<T>(task: Task, options: SqliteSinkOptions<T>): SinkWriter<T> {
  const table = new SqliteTable(task.component, options);
  return {
    write(values) {
      const rows = values.map((value) => cellsOf(value, options));
      table.transaction(() => {
        for (const row of rows) table.insert(row);
      });
    },
    close: () => table.close(),
  };
}
