/** What the loop asks of a spout's task, whichever kind it is. */
import type { SourceTime } from '../time/source-time.ts';
import type { Barrier } from './barrier.ts';
import type { Output } from './output.ts';

export interface SpoutTask {
  readonly outputs: readonly Output[];
  open(): Promise<void>;
  /** Takes a batch from the source and sends it off, one tuple after the other, while there is room. True: ask again soon. */
  poll(): boolean;
  /** The source has ended, and all it gave has been sent off. Tuples may still be pending. */
  readonly exhausted: boolean;
  /** Tuples neither acked nor failed. */
  readonly pending: number;
  /** Tuples taken from the source and not sent off yet. */
  readonly queued: number;
  /** How far event time has come here; undefined where nobody downstream asks for it. */
  readonly eventTime: SourceTime | undefined;
  /** Puts a barrier behind all that has been sent off. From outside of any step, also while downstream is full. */
  barrier(barrier: Barrier): void;
  activate(): void;
  deactivate(): void;
  /** Writes down what is done, where the source keeps that. */
  commit(): Promise<void>;
  /** The same of all that was taken, when nothing of it is inside any more. */
  noteTaken?(): Promise<void>;
  close(now: boolean): Promise<void>;
}
