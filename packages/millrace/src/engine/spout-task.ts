/** What the loop asks of a spout's task, whichever kind it is. */
import type { ToldTime } from '../time/source-time.ts';
import type { SplitTime } from '../time/split-watermark.ts';
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
  /** Event time of its splits; nothing where nobody downstream asks for event time. */
  times(): readonly SplitTime[];
  /** What it has told of event time, all splits together; undefined as above. */
  readonly told: ToldTime | undefined;
  /** No record will come any more: event time goes to its end. Done without being asked once its source has ended. */
  endTime(): void;
  activate(): void;
  deactivate(): void;
  /** Writes down what is done, where the source keeps that. */
  commit(): Promise<void>;
  close(now: boolean): Promise<void>;
}
