/**
 * Watermarks of a task whose inputs end later than they come: asynchronous calls, tuples that a manual bolt holds. A
 * watermark or a barrier goes on when all inputs that came before it are done (law 2), and not before. Inputs between two
 * of them are one epoch; what ends is told by its epoch.
 */
import type { Barrier } from './barrier.ts';
import { Fifo } from './fifo.ts';

/** What parts two epochs: it goes on when all inputs before it are done. */
type Mark = { readonly watermark: number; readonly idle: boolean } | { readonly barrier: Barrier };

export interface Epoch {
  /** Inputs that are not done. */
  open: number;
  /** What is at its end; undefined while it is the last epoch. */
  end: Mark | undefined;
}

export class HeldWatermarks {
  /** What went on last. */
  watermark = -Infinity;
  readonly #forward: (watermark: number, idle: boolean) => void;
  readonly #forwardBarrier: (barrier: Barrier) => void;
  /** All epochs before the last one, oldest first. */
  readonly #closed = new Fifo<Epoch>();
  /** The last of them. */
  #newest: Epoch | undefined;
  #last: Epoch = { open: 0, end: undefined };

  constructor(forward: (watermark: number, idle: boolean) => void, forwardBarrier: (barrier: Barrier) => void) {
    this.#forward = forward;
    this.#forwardBarrier = forwardBarrier;
  }

  /** The oldest epoch: what belongs to a later one has a watermark or a barrier in front of it. */
  get first(): Epoch {
    return this.#closed.first ?? this.#last;
  }

  /** Inputs that the next watermark or barrier waits for; 0 if none waits. */
  get inFront(): number {
    return this.#closed.first?.open ?? 0;
  }

  arrived(): Epoch {
    this.#last.open++;
    return this.#last;
  }

  /** True: at least one watermark or barrier has gone on. */
  done(epoch: Epoch): boolean {
    epoch.open--;
    let moved = false;
    for (let first = this.#closed.first; first?.open === 0; first = this.#closed.first) {
      this.#closed.shift();
      this.#goOn(first.end!);
      moved = true;
    }
    return moved;
  }

  advance(watermark: number, idle: boolean): void {
    const mark = { watermark, idle };
    const newest = this.#newest;
    // Nothing came since the watermark before: only the later one counts.
    if (this.#last.open === 0 && this.#closed.length > 0 && 'watermark' in newest!.end!) newest!.end = mark;
    else this.#close(mark);
  }

  barrier(barrier: Barrier): void {
    this.#close({ barrier });
  }

  #close(mark: Mark): void {
    const last = this.#last;
    if (last.open === 0 && this.#closed.length === 0) return this.#goOn(mark);
    last.end = mark;
    this.#closed.push(last);
    this.#newest = last;
    this.#last = { open: 0, end: undefined };
  }

  #goOn(mark: Mark): void {
    if ('barrier' in mark) return this.#forwardBarrier(mark.barrier);
    this.watermark = mark.watermark;
    this.#forward(mark.watermark, mark.idle);
  }
}
