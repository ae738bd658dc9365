/**
 * The seam of checkpoints: where a topology's state, positions and unpublished outputs are kept between two starts.
 *
 * - Law 4: a checkpoint is complete when all of it is durable, and not before. One that was begun and not completed does
 *   not exist for whoever starts next. One that was completed and cannot be read whole any more is never passed over in
 *   silence: MR_CHECKPOINT_CORRUPT.
 * - Each start claims the next incarnation, by compare-and-set. Of several that try at once each gets its own. What an
 *   older incarnation completes after a newer one has completed something is never restored.
 * - State is kept as the keys that changed since the checkpoint before, and whole where the snapshot was of all; older
 *   changes are merged in the background, in slices.
 */
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Position } from '../topology/spout.ts';

/** How far one split of a spout has been read. */
export interface SplitPosition {
  /** Undefined: nothing was taken, it starts where a first start begins. */
  readonly position: Position | undefined;
  /** Event times of its records: the newest one, and the watermark. −Infinity before the first. */
  readonly newest: number;
  readonly watermark: number;
}

/** What a checkpoint says besides keyed state and outputs. */
export interface CheckpointFacts {
  readonly topology: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  /** The checkpoint that its state goes on from. */
  readonly parent: Epoch | undefined;
  /** By component and split. */
  readonly sources: { readonly [component: string]: { readonly [split: string]: SplitPosition } };
  /** Event time of each bolt with state or timers. −Infinity before any. */
  readonly watermarks: { readonly [component: string]: number };
  /** Values of its epoch that each sink has to publish; sinks without any are left out. */
  readonly outputs: { readonly [sink: string]: number };
  /** The topology came to its end, or was drained: there is nothing to go on with, and the next start begins anew. */
  readonly finished: boolean;
}

export interface CheckpointInfo {
  readonly epoch: Epoch;
  readonly facts: CheckpointFacts;
  /** Of what this checkpoint added. */
  readonly bytes: number;
  /** Keys whose state this checkpoint added. */
  readonly keys: number;
}

/** The keys of one component that one checkpoint, or several merged ones, added. */
export interface SavedPart {
  readonly shapes: Shapes;
  readonly what: StateSnapshot['what'];
  /** Those of the key groups from `from` up to but without `to`, by key group. Read as it is iterated. */
  keys(from: number, to: number): Iterable<SavedKey>;
}

export interface SavedCheckpoint {
  readonly info: CheckpointInfo;
  /** Components that have keyed state here. */
  readonly components: readonly string[];
  /** The oldest first; a later part replaces what an earlier one says of a key. */
  state(component: string): readonly SavedPart[];
  /** Of its epoch, in the order in which they were given. */
  outputs(sink: string): readonly Uint8Array[];
  /** Nothing of it is read any more. Until then its files stay, whatever is completed and merged meanwhile. */
  release(): void;
}

/**
 * One checkpoint that is being written. Calls are cheap: they hand bytes to the system, and `complete` makes them durable.
 * What the disk refuses is told by `complete`.
 */
export interface CheckpointWriter {
  /**
   * Some keys of a component, those of a task in the order in which its snapshot gave them, and task by task, so that key
   * groups ascend. Also called without keys: the component has state, even if nothing of it changed. With `all` nothing that
   * was saved of the component before counts any more. A component that is not named has no state from here on.
   */
  state(component: string, shapes: Shapes, what: StateSnapshot['what'], keys: readonly SavedKey[]): void;
  /** What a sink has to publish, in order. */
  outputs(sink: string, entries: readonly Uint8Array[]): void;
  /** Durable when it resolves. MR_SUPERSEDED, and nothing is complete, when a newer incarnation has claimed. */
  complete(facts: CheckpointFacts): Promise<CheckpointInfo>;
  /** It will not be completed. */
  abandon(): void;
}

export interface CheckpointStore {
  /** The next incarnation, larger than `above` (default 0) as well, which is this store's own from then on. */
  claim(above?: number): Promise<number>;
  /** The largest incarnation that anybody has claimed here; 0: nobody. */
  newestClaim(): number;
  /**
   * The completed checkpoints that are kept, the one to restore first, and then those that it goes on from, the newest first.
   * MR_CHECKPOINT_CORRUPT if one of them cannot be read that may have something to publish. Where somebody chooses one by its
   * name, damaged ones are left out: then it is all that can be read, the newest first.
   */
  completed(damaged?: 'left out'): Promise<readonly CheckpointInfo[]>;
  /** MR_CHECKPOINT_CORRUPT if any part that it needs is damaged or missing: all of it is checked here. */
  read(epoch: Epoch): Promise<SavedCheckpoint>;
  /** The state of the next writes goes on from this checkpoint's; undefined: from nothing. After `claim`, before the first `begin`. */
  resume(from: Epoch | undefined): void;
  /** Begins checkpoint `number` of this incarnation. One at a time, and numbers only grow, also after one that failed. */
  begin(number: number): CheckpointWriter;
  /** All sinks have published the epochs up to this one: their outputs are not needed any more. */
  published(epoch: Epoch): void;
  /** Lets go of the files; what is being merged in the background is given up. */
  close(): Promise<void>;
}
