/**
 * `fileSink`: each value as one line at the end of a file. A write ends when its lines survive a power loss.
 *
 * A crash inside a write can leave the start of a line behind. It was never acknowledged, so its value is written again
 * whole; the torn start is ended with a line break first, and stays: it cannot be told from text that was there before.
 */
import { filesResource } from '../../runtime/resources.ts';
import type { OpenFile } from '../../runtime/runtime.ts';
import type { Sink, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import { lineOf, oneLine } from '../line-of.ts';
import { singleTask } from '../single-task.ts';

export interface FileSinkOptions<T> {
  /** The line of a value, without a line break. By default text as it is, and everything else as JSON. */
  readonly format?: (value: T) => string;
}

/** An `append` sink: what is replayed is added again. A file that is not there is made, with its folders. */
export function fileSink<T>(path: string, options: FileSinkOptions<T> = {}): Sink<Takes<T>> {
  const { format = lineOf } = options;
  return sink<T>({
    mode: 'append',
    // A sync for each batch: ten a second cost nothing, and a file is not read faster than that.
    batch: { size: 1000, every: '100ms' },
    async open(task) {
      singleTask(task, 'lines of several writers would mix');
      const file = await task.use(filesResource).open(path, 'append');
      return {
        async write(values) {
          const lines = values.map((value) => `${oneLine(value, format)}\n`).join('');
          await file.append(utf8.encode((await endsInsideLine(file)) ? `\n${lines}` : lines));
          await file.sync();
        },
        close: () => file.close(),
      };
    },
  });
}

const utf8 = new TextEncoder();
const LF = 10;

async function endsInsideLine(file: OpenFile): Promise<boolean> {
  const size = await file.size();
  if (size === 0) return false;
  const [last] = await file.read(size - 1, 1);
  return last !== LF;
}
