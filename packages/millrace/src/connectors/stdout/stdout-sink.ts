/**
 * `stdoutSink`: each value as a line on standard output. It waits for a slow reader. When the reader has gone, as in
 * `millrace run … | head`, the lines are dropped quietly: nobody is there to miss them.
 */
import { stdoutResource } from '../../runtime/resources.ts';
import type { Sink, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import { lineOf } from '../line-of.ts';

export interface StdoutSinkOptions<T> {
  /** What is printed for a value. By default text as it is, and everything else as JSON. */
  readonly format?: (value: T) => string;
}

export function stdoutSink<T>(options: StdoutSinkOptions<T> = {}): Sink<Takes<T>> {
  const { format = lineOf } = options;
  return sink<T>({
    mode: 'append',
    // At most a twentieth of a second late: a person sees no delay, and a fast stream is printed in large pieces.
    batch: { size: 1000, every: '50ms' },
    open(task) {
      const output = task.use(stdoutResource);
      return {
        async write(values) {
          const ready = output.write(values.map((value) => `${format(value)}\n`).join(''));
          if (!ready) await new Promise<void>((resolve) => output.onDrain(resolve));
        },
      };
    },
  });
}
