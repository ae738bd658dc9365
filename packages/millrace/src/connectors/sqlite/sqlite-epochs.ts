/**
 * Publishes epochs into a table: the rows of an epoch and its id go in one transaction, the id into the table
 * `_millrace_epochs` of the same database. So whoever reads the rows sees whole epochs, and an epoch that comes again after
 * a crash is known. The same table says which start of the topology may publish.
 */
import { MillraceError } from '../../errors.ts';
import { compareEpochs, type Epoch } from '../../topology/epoch.ts';
import type { EpochWriter } from '../../topology/sink.ts';
import type { Task } from '../../topology/task.ts';
import type { Cells } from './sqlite-row.ts';
import { SqliteTable, type Statement, type TableOptions } from './sqlite-table.ts';

/** A row per sink; `incarnation` and `number` are of the epoch published last, and null before the first. */
const CREATE = `CREATE TABLE IF NOT EXISTS _millrace_epochs (
  topology TEXT NOT NULL, sink TEXT NOT NULL, claimed INTEGER NOT NULL, incarnation INTEGER, number INTEGER,
  PRIMARY KEY (topology, sink))`;
const FIND = 'SELECT claimed, incarnation, number FROM _millrace_epochs WHERE topology = ? AND sink = ?';
const CLAIM = `INSERT INTO _millrace_epochs (topology, sink, claimed) VALUES (?, ?, ?)
  ON CONFLICT (topology, sink) DO UPDATE SET claimed = excluded.claimed`;
const PUBLISHED = 'UPDATE _millrace_epochs SET incarnation = ?, number = ? WHERE topology = ? AND sink = ?';

export class SqliteEpochs implements EpochWriter<Cells> {
  readonly #task: Task;
  readonly #options: TableOptions;
  readonly #table: SqliteTable;
  #incarnation = 0;
  #find: Statement | undefined;
  #published: Statement | undefined;

  constructor(task: Task, options: TableOptions) {
    this.#task = task;
    this.#options = options;
    this.#table = new SqliteTable(task.component, options);
  }

  async claim(incarnation: number): Promise<Epoch | undefined> {
    const { topology, component } = this.#task;
    this.#incarnation = incarnation;
    return this.#table.transactionAtStart(() => {
      this.#table.run(CREATE);
      this.#find = this.#table.prepare(FIND);
      this.#published = this.#table.prepare(PUBLISHED);
      const mark = this.#mark();
      // An epoch may be of a later start than the claim it was published under: where a start began anew above its sinks.
      const newest = Math.max(mark?.claimed ?? 0, mark?.last?.incarnation ?? 0);
      if (newest >= incarnation) this.#refuse(newest);
      this.#table.prepare(CLAIM).run(topology, component, incarnation);
      return mark?.last;
    });
  }

  publish(epoch: Epoch, rows: readonly Cells[]): void {
    const { topology, component } = this.#task;
    this.#table.transaction(() => {
      const mark = this.#mark();
      if (mark === undefined)
        throw new Error('the row of this sink in _millrace_epochs is gone: start the topology again');
      if (mark.claimed !== this.#incarnation) this.#refuse(mark.claimed);
      if (mark.last && compareEpochs(epoch, mark.last) <= 0) return;
      for (const row of rows) this.#table.insert(row);
      this.#published!.run(epoch.incarnation, epoch.number, topology, component);
    });
  }

  close(): void {
    this.#table.close();
  }

  #mark(): { readonly claimed: number; readonly last: Epoch | undefined } | undefined {
    const row = this.#find!.get(this.#task.topology, this.#task.component);
    if (row === undefined) return undefined;
    const last = row.number === null ? undefined : { incarnation: Number(row.incarnation), number: Number(row.number) };
    return { claimed: Number(row.claimed), last };
  }

  #refuse(claimed: number): never {
    const { path, table } = this.#options;
    throw new MillraceError('MR_SINK_CLAIMED', [
      this.#task.component,
      `'${table}' in ${path}`,
      this.#incarnation,
      claimed,
    ]);
  }
}
