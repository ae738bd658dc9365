/**
 * Watermarks of a task whose inputs end later than they come: asynchronous calls, tuples that a manual bolt holds. A
 * watermark goes on when all inputs that came before it are done (law 2), and not before. Inputs between two watermarks
 * are one epoch; what ends is told by its epoch.
 */
import { Fifo } from './fifo.ts';

export interface Epoch {
  /** Inputs that are not done. */
  open: number;
  /** The watermark at its end; undefined while it is the last epoch. */
  end: { readonly watermark: number; readonly idle: boolean } | undefined;
}

export class HeldWatermarks {
  /** What went on last. */
  watermark = -Infinity;
  readonly #forward: (watermark: number, idle: boolean) => void;
  /** All epochs before the last one, oldest first. */
  readonly #closed = new Fifo<Epoch>();
  /** The last of them. */
  #newest: Epoch | undefined;
  #last: Epoch = { open: 0, end: undefined };

  constructor(forward: (watermark: number, idle: boolean) => void) {
    this.#forward = (watermark, idle) => {
      this.watermark = watermark;
      forward(watermark, idle);
    };
  }

  /** The oldest epoch: what belongs to a later one has a watermark in front of it. */
  get first(): Epoch {
    return this.#closed.first ?? this.#last;
  }

  /** Inputs that the next watermark waits for; 0 if none waits. */
  get inFront(): number {
    return this.#closed.first?.open ?? 0;
  }

  arrived(): Epoch {
    this.#last.open++;
    return this.#last;
  }

  /** True: at least one watermark has gone on. */
  done(epoch: Epoch): boolean {
    epoch.open--;
    let moved = false;
    for (let first = this.#closed.first; first?.open === 0; first = this.#closed.first) {
      this.#closed.shift();
      this.#forward(first.end!.watermark, first.end!.idle);
      moved = true;
    }
    return moved;
  }

  advance(watermark: number, idle: boolean): void {
    const last = this.#last;
    if (last.open === 0) {
      if (this.#closed.length === 0) return this.#forward(watermark, idle);
      // Nothing came since the watermark before: only the later one counts.
      this.#newest!.end = { watermark, idle };
      return;
    }
    last.end = { watermark, idle };
    this.#closed.push(last);
    this.#newest = last;
    this.#last = { open: 0, end: undefined };
  }
}
