/**
 * Sinks: where tuples leave the topology, in batches. A sink says how it publishes: `append` adds at once (a replay adds
 * again), `upsert` writes by key at once (a replay changes nothing: convergent), `transactional` applies what an epoch
 * gave atomically, once its checkpoint is durable (law 5).
 */
import type { Duration } from '../duration.ts';
import type { Epoch } from './epoch.ts';
import type { Task } from './task.ts';

export type SinkMode = 'append' | 'upsert' | 'transactional';

export interface Batch {
  /** A batch is written at this many values … */
  readonly size: number;
  /** … or when its oldest value is this old. */
  readonly every: Duration;
}

/** Publishes at once. A transactional sink needs it, too: for runs that do not ask for exactly-once. */
export interface SinkWriter<in T> {
  /** Writes all or throws. One call at a time; when it returns (or resolves) the values are safe, and are acked. */
  write(values: readonly T[], times: readonly number[]): void | Promise<void>;
  close?(): void | Promise<void>;
}

/**
 * Publishes epoch by epoch: one writer for all tasks of the sink. What it has published carries the id of its epoch, in the
 * same transaction; so an epoch that is published again after a crash is recognised, and one of an instance that another
 * has taken over from is refused.
 */
export interface EpochWriter<in P> {
  /**
   * Called first. When it resolves, no writer that claimed with a smaller incarnation can publish any more. Gives the epoch
   * that was published last, by whichever incarnation; undefined if none was. MR_SINK_CLAIMED when this incarnation, or a
   * larger one, has claimed before; then it may be called again with a larger one than that.
   */
  claim(incarnation: number): Promise<Epoch | undefined>;
  /**
   * Publishes all of an epoch, or throws and nothing of it is visible. Called in the order of the epochs, one at a time, with
   * epochs newer than what `claim` gave; one without entries is left out, and those that have waited for the one before come
   * together, as the newest of them. After a throw it may be called again with the same. MR_SINK_CLAIMED when a larger
   * incarnation has claimed.
   */
  publish(epoch: Epoch, entries: readonly P[]): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** How a transactional sink publishes epochs. */
export interface Epochs<in I, P> {
  /**
   * What is kept of a value until its epoch is published: plain data, as a structured clone holds it. By default the value.
   * What would be refused when it is published is better refused here, where it concerns one value.
   */
  readonly prepare?: (value: I, time: number) => P;
  readonly open: (task: Task) => EpochWriter<P> | Promise<EpochWriter<P>>;
}

/**
 * Where a sink writes that reaches the world through what its run offers, and by no other way: so a simulation can run it as
 * it is, and looks there. All other sinks are modelled.
 */
export type Into = { readonly topic: string } | { readonly folder: string };

export interface Sink<out W> {
  readonly component: 'sink';
  readonly mode: SinkMode;
  readonly batch: Batch;
  readonly open: (task: Task) => SinkWriter<never> | Promise<SinkWriter<never>>;
  /** Of a transactional sink. */
  readonly epochs: Epochs<never, unknown> | undefined;
  readonly into: Into | undefined;
  /** Only for the compiler; undefined at run time. */
  readonly writes: W;
}

/** Only for the compiler: what a sink of T's takes. */
export type Takes<T> = (values: readonly T[]) => void;

type Writes<I> =
  | { readonly write: (values: readonly I[], times: readonly number[]) => void | Promise<void> }
  | { readonly open: (task: Task) => SinkWriter<I> | Promise<SinkWriter<I>> };
type Publishes<I, P> =
  | { readonly mode: 'append' | 'upsert'; readonly epochs?: never }
  | { readonly mode: 'transactional'; readonly epochs: Epochs<I, P> };

/** A sink: `write` alone, or `open` where each task needs its own connection; a transactional one has `epochs` besides. */
export function sink<I, P = I>(
  definition: { readonly batch: Batch; readonly into?: Into } & Publishes<I, P> & Writes<I>,
): Sink<Takes<I>> {
  const { mode, batch, epochs, into } = definition;
  const open = 'open' in definition ? definition.open : () => ({ write: definition.write });
  return {
    component: 'sink',
    mode,
    batch,
    open: open as Sink<never>['open'],
    epochs: epochs as Sink<never>['epochs'],
    into,
    writes: undefined as never,
  };
}
