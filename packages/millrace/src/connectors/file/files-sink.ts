/**
 * `filesSink`: files of lines that appear whole in a folder, one for each epoch (`transactional`). In a run without
 * exactly-once it is one for each batch, and a replay gives another. Names that begin with a dot are not for readers.
 */
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { storageResource } from '../../runtime/resources.ts';
import type { Storage } from '../../runtime/storage.ts';
import type { Sink, SinkWriter, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import type { Task } from '../../topology/task.ts';
import { lineOf, oneLine } from '../line-of.ts';
import { EpochFiles, type FilesOf } from './epoch-files.ts';
import { fileWriteError, makeFolder, removeIfThere, writeLines } from './whole-file.ts';

export interface FilesSinkOptions<T> {
  /** The line of a value, without a line break. By default text as it is, and everything else as JSON. */
  readonly format?: (value: T) => string;
  /** What the files' names end with, without its dot: 'jsonl'. By default 'txt'. */
  readonly extension?: string;
}

/** A folder that is not there is made. */
export function filesSink<T>(directory: string, options: FilesSinkOptions<T> = {}): Sink<Takes<T>> {
  const { format = lineOf, extension = 'txt' } = options;
  if (!/^[a-z0-9]+(\.[a-z0-9]+)*$/i.test(extension))
    throw new MillraceError('MR_OPTION', [
      `files in ${directory}`,
      'extension',
      extension,
      "letters and digits: 'jsonl'",
    ]);
  const filesOf = ({ component, topology }: Task): FilesOf => {
    return { component, folder: directory, prefix: `${component}@${topology}`, extension };
  };
  const prepare = (value: T) => oneLine(value, format);
  return sink<T, string>({
    mode: 'transactional',
    // A file for each: fewer and larger ones than the syncs alone would ask for.
    batch: { size: 10_000, every: '1s' },
    into: { folder: directory },
    open: (task) => batches(task, filesOf(task), prepare),
    epochs: { prepare, open: (task) => new EpochFiles(task.use(storageResource), filesOf(task)) },
  });
}

/** Each batch as a file of its own, named by the time and the task. */
async function batches<T>(task: Task, files: FilesOf, lineOf: (value: T) => string): Promise<SinkWriter<T>> {
  const storage = task.use(storageResource);
  const { component, folder, extension, prefix } = files;
  const mine = `.${prefix}-of-${task.index}-`;
  const start = Math.floor(task.random() * 2 ** 32).toString(36);
  let batch = 0;
  const telling = async (steps: () => Promise<void>) => {
    try {
      await steps();
    } catch (thrown) {
      throw fileWriteError(component, folder, thrown);
    }
  };
  await telling(async () => {
    await makeFolder(storage, folder);
    removeHidden(storage, folder, mine);
  });
  return {
    write(values) {
      const lines = values.map(lineOf);
      const at = String(task.now()).padStart(15, '0');
      const id = `${task.index}-${start}-${++batch}`;
      const hidden = join(folder, `${mine}${start}`);
      return telling(async () => {
        await writeLines(storage, hidden, lines);
        storage.rename(hidden, join(folder, `${prefix}-at-${at}-${id}.${extension}`));
        await storage.syncDirectory(folder);
      });
    },
  };
}

/** What a crash left half-written: its values were not acked. */
function removeHidden(storage: Storage, folder: string, beginning: string): void {
  for (const name of storage.list(folder)) if (name.startsWith(beginning)) removeIfThere(storage, join(folder, name));
}
