/**
 * Spouts: where tuples come from. A *queue spout* has message ids, `ack` and `fail`, and replays by itself, as in Storm.
 * A *log spout* has splits with positions: the engine assigns splits to tasks, replays from memory what failed, and
 * hands back, per split, the position below which everything is done.
 */
import type { DeclaredStream, Emit, Emits, Handles } from './emits.ts';
import { declaredStreams } from './emits.ts';
import type { Schema } from './schema.ts';
import type { Stream } from './stream.ts';
import type { Task } from './task.ts';

export type MessageId = string | number;

/** A record that cannot be read. */
export interface Rejected {
  readonly cause: 'null' | 'malformed';
  /** What is wrong with it, for people. */
  readonly detail: string;
  /** Its bytes, as the source holds them. */
  readonly payload: Uint8Array | null;
}

export interface QueueTask<E> extends SpoutContext {
  /** `emit(value, id?, time?)`: a tuple without an id is not tracked. */
  readonly emit: Emit<E, [id?: MessageId, time?: number]>;
  /** Gives a record that cannot be read: it goes to the ledger with its cause, and the flow goes on. */
  reject(rejected: Rejected): void;
}

export interface SpoutContext extends Task {
  /** Says that there is something again, after `nextTuple` or `next` returned false. Any number of calls is fine. */
  wake(): void;
  /** No tuple will come any more. When all spouts of a topology have ended, it completes. */
  end(): void;
}

/** A queue spout's code. All calls come from the engine's loop, never inside each other. */
export interface QueueReader {
  /** Emit up to a batch; return false when there is nothing now, and call `wake` when there is. */
  nextTuple(): boolean | void;
  /** The tuple with this id, and everything that came from it, is done. */
  ack?(id: MessageId): void;
  /** It failed or timed out: emit it again, or give it up. */
  fail?(id: MessageId): void;
  activate?(): void;
  deactivate?(): void;
  close?(): void | Promise<void>;
}

/** The place of a record within its split: the next position is larger. An offset, a byte, a count. */
export type Position = number;

export interface LogTask<T> extends SpoutContext {
  /** The splits that this task reads, in the order that `splits` gave them. */
  readonly splits: readonly string[];
  /** Gives one record; `next` is the position to go on from after it. `time` is event time in milliseconds. */
  emit(split: string, position: Position, next: Position, value: T, time: number): void;
  /** Gives a record that cannot be read: it goes to the ledger with its cause, and the flow goes on. */
  reject(split: string, position: Position, next: Position, rejected: Rejected): void;
  /** No record will come on this split any more. */
  endSplit(split: string): void;
}

/** A log spout's code. All calls come from the engine's loop, never inside each other. */
export interface LogReader {
  /**
   * Go on from this position; `undefined`: from the committed position, or where a first start begins. Once per split before the
   * first `next`. Gives back where that is, if it is known: a checkpoint has it then, before the split has given anything.
   */
  seek(split: string, position: Position | undefined): Position | void;
  /** Stop and restart giving records of one split. */
  pause(split: string): void;
  resume(split: string): void;
  /** Emit up to `max` records; return false when there is nothing now, and call `wake` when there is. */
  next(max: number): boolean;
  /** Everything below these positions is done: the source may note it, for restarts and lag tools. Durable when it resolves. */
  commit(positions: ReadonlyMap<string, Position>): Promise<void>;
  close?(): void | Promise<void>;
}

export type SpoutCode =
  | { readonly kind: 'queue'; readonly open: (task: never) => QueueReader | Promise<QueueReader> }
  | {
      readonly kind: 'log';
      /** All splits there are, the same answer for every task; asked once at start. */
      readonly splits: (task: Task) => readonly string[] | Promise<readonly string[]>;
      readonly open: (task: never) => LogReader | Promise<LogReader>;
      readonly decode?: (payload: Uint8Array) => unknown;
    };

export interface Spout<out H> {
  readonly component: 'spout';
  readonly streams: readonly DeclaredStream[];
  readonly code: SpoutCode;
  /** Only for the compiler. */
  readonly handles: H;
}

/** A queue spout: `emit(value, id?, time?)`. */
export function spout<const E extends Emits>(definition: {
  readonly emits: E;
  readonly open: (task: QueueTask<E>) => QueueReader | Promise<QueueReader>;
}): Spout<Handles<E>> {
  return {
    component: 'spout',
    streams: declaredStreams(definition.emits),
    code: { kind: 'queue', open: definition.open },
    handles: undefined as never,
  };
}

/** A log spout, of one stream. */
export function logSpout<T>(definition: {
  readonly emits: Schema<T>;
  readonly splits: (task: Task) => readonly string[] | Promise<readonly string[]>;
  readonly open: (task: LogTask<T>) => LogReader | Promise<LogReader>;
  /** The value in the payload of a record that was rejected, or throws why it has none: how the ledger replays it. */
  readonly decode?: (payload: Uint8Array) => T;
}): Spout<Stream<T>> {
  const { emits, ...code } = definition;
  return {
    component: 'spout',
    streams: declaredStreams(emits),
    code: { kind: 'log', ...code },
    handles: undefined as never,
  };
}
