/** What a started topology can be asked and told. The command line, the control socket and the console stand on this. */
import type { KeyContent } from '../state/keyed-store.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import type { Receipt } from '../topology/receipt.ts';
import type { ComponentEventTime, Explanation, Moment } from './explanation.ts';

export type TopologyState = 'active' | 'inactive' | 'draining' | 'completed' | 'stopped' | 'killed' | 'failed';

/** Percentiles of a latency in milliseconds. Every value is counted; none is sampled. */
export interface LatencySnapshot {
  readonly count: number;
  /** Sum of all values, milliseconds. */
  readonly sum: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface ComponentMetrics {
  readonly component: string;
  readonly kind: 'spout' | 'bolt' | 'sink';
  readonly tasks: number;
  /** Per output stream: values emitted, and tuples transferred to subscribers' tasks. */
  readonly streams: readonly { readonly stream: string; readonly emitted: number; readonly transferred: number }[];
  /** Inputs executed (bolts), values written (sinks). */
  readonly executed: number;
  /** Bolts and sinks: inputs done. Spouts: tuple trees done. */
  readonly acked: number;
  readonly failed: number;
  /** Exceptions thrown by user code, each retry counted. */
  readonly errors: number;
  readonly ledgered: number;
  /** Time inside user code per input. */
  readonly execute: LatencySnapshot;
  /** From an input's arrival at the component to its ack. */
  readonly process: LatencySnapshot;
  /** Spouts: from emit to the end of the tuple tree. */
  readonly complete: LatencySnapshot;
  /** Sinks: from the event's own time to its write, on the wall clock. */
  readonly result: LatencySnapshot;
  /** Share of the last ten seconds that the component spent in user code, 0 to 1 per task. */
  readonly capacity: number;
  /** Inputs waiting in front of its tasks now. */
  readonly queued: number;
  /** Spouts: tuples neither acked nor failed yet. */
  readonly pending: number;
  /** Event time of its task that is furthest behind. Missing where nothing asks for event time. */
  readonly watermark?: Moment;
  /** Milliseconds that the clock is ahead of the watermark. Missing where that is no time. */
  readonly lag?: number;
  /** Timers that are set, by event time and by the clock, windows included. Missing where none is declared. */
  readonly timers?: number;
  /** Keys with state or timers. Missing where neither is declared. */
  readonly keys?: number;
}

export interface TopologyMetrics {
  readonly topology: string;
  readonly state: TopologyState;
  readonly uptime: number;
  readonly components: readonly ComponentMetrics[];
}

/** What to explain: the timer of a key, a time (ms since 1970), or by default the earliest timer. */
export interface Asked {
  readonly time?: number;
  readonly key?: Key;
}

/** How the checkpoints of a running topology are doing. */
export interface CheckpointStatus {
  /** Milliseconds between two. */
  readonly interval: number;
  /** The start that this is. */
  readonly incarnation: number;
  /** What it went on from; undefined: from nothing. */
  readonly restored: Epoch | undefined;
  /** The last one that was completed. */
  readonly last: CompletedCheckpoint | undefined;
  /** The one under way, for how long (ms), and the tasks that have not taken part yet. */
  readonly current:
    | { readonly number: number; readonly since: number; readonly waitsFor: readonly string[] }
    | undefined;
  readonly completed: number;
  /** Given up: too slow, or the disk refused. */
  readonly failed: number;
  /** Milliseconds from begin to durable. */
  readonly took: LatencySnapshot;
  /** Epochs and bytes that wait to be published. */
  readonly unpublished: { readonly epochs: number; readonly bytes: number };
}

export interface CompletedCheckpoint {
  readonly epoch: Epoch;
  /** Wall-clock milliseconds when it was durable. */
  readonly at: number;
  /** Milliseconds. */
  readonly took: number;
  /** What it added. */
  readonly bytes: number;
  readonly keys: number;
}

export interface StopOptions {
  /** Event time goes to its end before: open windows close with what they hold, all event timers are told. Default false. */
  readonly drain?: boolean;
}

export interface Running {
  readonly name: string;
  readonly state: TopologyState;
  /** What each path gets. */
  readonly receipt: Receipt;
  metrics(): TopologyMetrics;
  /** Why a window or an event timer of a component has not fired, who holds it, and what would let it go. */
  explain(component: string, asked?: Asked): Explanation;
  /** How far event time has come, of each component that follows it. */
  eventTime(): readonly ComponentEventTime[];
  /** What a component keeps for a key, as plain data; undefined if nothing is kept. */
  readState(component: string, key: Key): KeyContent | undefined;
  /** Keys that have something, `most` of them at most, in the order in which they came. */
  stateKeys(component: string, most: number): readonly Key[];
  /** Undefined where nothing is checkpointed. */
  checkpoints(): CheckpointStatus | undefined;
  /** Makes a checkpoint now. Resolves when it is durable and what came before it is published; rejects if it fails. */
  checkpoint(): Promise<Epoch>;
  /** Spouts go on, or stop giving; what is inside flows on. */
  activate(): void;
  deactivate(): void;
  /** Stops the spouts, finishes what is inside, flushes, commits, closes. Resolves when all of it is done. */
  stop(options?: StopOptions): Promise<void>;
  /** Leaves at once: nothing is finished, nothing is committed any more. */
  kill(): Promise<void>;
  /** Gives a value to a component's input as if its stream had carried it: how the ledger replays. Resolves when its tree is acked, rejects when any of it is lost again (which adds no entry). */
  replay(component: string, input: string | undefined, value: unknown, time: number): Promise<void>;
  /** Resolves when the topology has ended: completed, stopped or killed. Rejects when it failed, with the cause. */
  readonly done: Promise<void>;
}
