/** What a topology runs with. */
import type { CheckpointStore, SavedCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Guarantee } from '../topology/receipt.ts';

export interface CheckpointOptions {
  readonly store: CheckpointStore;
  /** Milliseconds from the start of one checkpoint to the start of the next. */
  readonly interval: number;
  /** Milliseconds between the end of one and the start of the next, at least. */
  readonly pause: number;
  /** One that takes longer (ms) is given up, and what it had goes into the next. */
  readonly timeout: number;
  /** Outputs that wait to be published: at `bytes` of one epoch it is cut early, at `total` or `epochs` the spouts wait. */
  readonly outbox: { readonly bytes: number; readonly total: number; readonly epochs: number };
  /** What to go on from, and what becomes of it. By default the last completed checkpoint, as it is. */
  readonly start: CheckpointStart;
}

export interface CheckpointStart {
  /** Another checkpoint, or a savepoint. What came after it is given up. */
  readonly from?: SavedCheckpoint;
  /** Components that had another name there: the new name by the old one. */
  readonly renamed: ReadonlyMap<string, string>;
  /** What is not wanted any more: components, or `component.state`. */
  readonly dropped: ReadonlySet<string>;
}

export interface EngineOptions {
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  /** What `task.use` finds, by resource name. */
  readonly resources: ReadonlyMap<string, unknown>;
  /** Undefined: each path gets the most that it allows. */
  readonly guarantee: Guarantee | undefined;
  /** Undefined: nothing is kept between two starts but what sources keep, and exactly-once is refused. */
  readonly checkpoints?: CheckpointOptions;
  /** Deep-freeze every emitted and stored value (law 10): in tests and in dev. */
  readonly freeze: boolean;
  /** Encode and decode every value on every edge, as between workers. */
  readonly encodeEdges: boolean;
  /** Lines from tasks and from the engine, for the person who runs it. */
  readonly log: (component: string | undefined, text: string) => void;
}
