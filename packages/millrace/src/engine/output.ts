/** One stream of one task: what was emitted during the current step, and the edges that it is delivered to. */
import type { DeclaredStream } from '../topology/emits.ts';
import { DEFAULT_STREAM } from '../topology/emits.ts';
import type { Barrier, BarrierInlet } from './barrier.ts';
import type { Edge } from './edge.ts';
import type { TimeInlet } from './event-time.ts';
import type { StreamMetrics } from './metrics.ts';

/** What user code gets as `emit`: the function itself for the one unnamed stream, a record for named ones. */
export function byStream<F>(
  streams: readonly DeclaredStream[],
  emitters: readonly F[],
): F | { readonly [stream: string]: F } {
  if (streams.length === 1 && streams[0]!.name === DEFAULT_STREAM) return emitters[0]!;
  return Object.fromEntries(streams.map(({ name }, i) => [name, emitters[i]!]));
}

/** Above this many values in one step the buffers are given back to the collector. */
const KEEP = 1024;

export class Output {
  values: unknown[] = [];
  times: number[] = [];
  /** For direct streams: the receiving task of each value. */
  tasks: number[] = [];
  count = 0;
  readonly direct: boolean;
  readonly metrics: StreamMetrics;
  readonly edges: Edge[] = [];
  /** Of the tasks that these values go to and that need event time, or pass it on. */
  readonly inlets: TimeInlet[] = [];
  /** Of all tasks that these values may go to. */
  readonly barriers: BarrierInlet[] = [];
  readonly #freeze: (<T>(value: T) => T) | undefined;

  constructor(metrics: StreamMetrics, direct: boolean, freeze: (<T>(value: T) => T) | undefined) {
    this.metrics = metrics;
    this.direct = direct;
    this.#freeze = freeze;
  }

  add(value: unknown, time: number, task = 0): void {
    const at = this.count++;
    this.values[at] = this.#freeze === undefined ? value : this.#freeze(value);
    this.times[at] = time;
    if (this.direct) this.tasks[at] = task;
  }

  /** Values that all have one time. */
  addAll(many: readonly unknown[], from: number, time: number): void {
    const { values, times } = this;
    const freeze = this.#freeze;
    let at = this.count;
    for (let i = from; i < many.length; i++, at++) {
      values[at] = freeze === undefined ? many[i] : freeze(many[i]);
      times[at] = time;
    }
    this.count = at;
  }

  /** Hands on all that was emitted, in order. A topology has no cycle, so nothing is added meanwhile. */
  deliver(): void {
    const { count, edges, metrics } = this;
    metrics.emitted += count;
    for (let e = 0; e < edges.length; e++) metrics.transferred += edges[e]!.send(this);
    this.discard();
  }

  /** Event time has come so far, after all that was delivered. */
  advance(watermark: number, idle: boolean): void {
    for (let i = 0; i < this.inlets.length; i++) this.inlets[i]!.advance(watermark, idle);
  }

  /** All that was delivered belongs to the epoch before, and what follows to the next (law 4). */
  barrier(barrier: Barrier): void {
    for (const inlet of this.barriers) inlet.barrier(barrier);
  }

  /** Forgets all that was emitted: the step failed. */
  discard(): void {
    if (this.count > KEEP) {
      this.values = [];
      this.times = [];
      this.tasks = [];
    }
    this.count = 0;
  }
}
