/** What a started topology can be asked and told. The command line, the control socket and the console stand on this. */

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
}

export interface TopologyMetrics {
  readonly topology: string;
  readonly state: TopologyState;
  readonly uptime: number;
  readonly components: readonly ComponentMetrics[];
}

export interface Running {
  readonly name: string;
  readonly state: TopologyState;
  metrics(): TopologyMetrics;
  /** Spouts go on, or stop giving; what is inside flows on. */
  activate(): void;
  deactivate(): void;
  /** Stops the spouts, finishes what is inside, flushes, commits, closes. Resolves when all of it is done. */
  stop(): Promise<void>;
  /** Leaves at once: nothing is finished, nothing is committed any more. */
  kill(): Promise<void>;
  /** Gives a value to a component's input as if its stream had carried it: how the ledger replays. Resolves when its tree is acked, rejects when any of it is lost again (which adds no entry). */
  replay(component: string, input: string | undefined, value: unknown, time: number): Promise<void>;
  /** Resolves when the topology has ended: completed, stopped or killed. Rejects when it failed, with the cause. */
  readonly done: Promise<void>;
}
