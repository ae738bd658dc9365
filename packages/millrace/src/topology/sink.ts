/**
 * Sinks: where tuples leave the topology, in batches. A sink says how it publishes: `append` adds (a replay adds again),
 * `upsert` writes by key (a replay changes nothing: convergent), `transactional` applies an epoch atomically. Until
 * checkpoints exist there are no epochs, and all three publish at once.
 */
import type { Duration } from '../duration.ts';
import type { Task } from './task.ts';

export type SinkMode = 'append' | 'upsert' | 'transactional';

export interface Batch {
  /** A batch is written at this many values … */
  readonly size: number;
  /** … or when its oldest value is this old. */
  readonly every: Duration;
}

export interface SinkWriter<in T> {
  /** Writes all or throws. One call at a time; when it returns (or resolves) the values are safe, and are acked. */
  write(values: readonly T[], times: readonly number[]): void | Promise<void>;
  close?(): void | Promise<void>;
}

export interface Sink<out W> {
  readonly component: 'sink';
  readonly mode: SinkMode;
  readonly batch: Batch;
  readonly open: (task: Task) => SinkWriter<never> | Promise<SinkWriter<never>>;
  /** Only for the compiler; undefined at run time. */
  readonly writes: W;
}

/** Only for the compiler: what a sink of T's takes. */
export type Takes<T> = (values: readonly T[]) => void;

/** A sink: `write` alone, or `open` where each task needs its own connection. */
export function sink<I>(
  definition: { readonly mode: SinkMode; readonly batch: Batch } & (
    | { readonly write: (values: readonly I[], times: readonly number[]) => void | Promise<void> }
    | { readonly open: (task: Task) => SinkWriter<I> | Promise<SinkWriter<I>> }
  ),
): Sink<Takes<I>> {
  const { mode, batch } = definition;
  const open = 'open' in definition ? definition.open : () => ({ write: definition.write });
  return { component: 'sink', mode, batch, open: open as Sink<never>['open'], writes: undefined as never };
}
