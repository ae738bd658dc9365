/**
 * What came to a task while it could take nothing: inputs, watermarks, barriers and ticks in the order of their arrival (law 2),
 * the inputs with their trees held and against a bound. `drain` takes them up again while the task can.
 */
import type { Key } from '../topology/key.ts';
import type { Barrier } from './barrier.ts';
import { Fifo } from './fifo.ts';
import { Room } from './gate.ts';
import type { Station } from './station.ts';
import type { Anchor } from './tree.ts';

/** A task with such a queue. */
export interface Takes<P> {
  /** Whether an input, or a watermark, barrier or tick, can be taken now, as far as the task itself goes. */
  mayRun(): boolean;
  mayMove(): boolean;
  run(port: P, value: unknown, time: number, key: Key | undefined): void;
  move(watermark: number, idle: boolean): void;
  tick?(time: number): void;
  cut(barrier: Barrier): void;
}

interface Input<P> {
  readonly kind: 'input';
  readonly port: P;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  readonly anchor: Anchor | undefined;
}
interface Moved {
  readonly kind: 'watermark';
  watermark: number;
  idle: boolean;
}

interface Ticked {
  readonly kind: 'tick';
  time: number;
}

interface Cut {
  readonly kind: 'barrier';
  readonly barrier: Barrier;
}

export class Behind<P> {
  readonly #station: Station;
  readonly #task: Takes<P>;
  readonly #room: Room;
  readonly #queue = new Fifo<Input<P> | Moved | Ticked | Cut>();
  /** The last in the queue, if it is one that a later one may replace. */
  #last: Moved | Ticked | undefined;
  /** `drain` is at work, or waits for room downstream. */
  #draining = false;

  constructor(station: Station, task: Takes<P>) {
    this.#station = station;
    this.#task = task;
    this.#room = new Room(station.gate, station.component.settings.queue);
  }

  /** Inputs, watermarks, barriers and ticks that wait. */
  get length(): number {
    return this.#queue.length;
  }

  push(port: P, value: unknown, time: number, key: Key | undefined): void {
    const { anchor } = this.#station.worker;
    anchor?.hold();
    this.#room.take();
    this.#last = undefined;
    this.#queue.push({ kind: 'input', port, value, time, key, anchor });
  }

  /** At once where nothing is in its way. Of watermarks that wait right behind each other only the last counts. */
  advance(watermark: number, idle: boolean): void {
    if (this.#isFree()) return this.#task.move(watermark, idle);
    if (this.#last?.kind === 'watermark') {
      this.#last.watermark = watermark;
      this.#last.idle = idle;
      return;
    }
    this.#last = { kind: 'watermark', watermark, idle };
    this.#queue.push(this.#last);
  }

  /** As of watermarks: a task that falls behind ticks once. */
  tick(time: number): void {
    if (this.#isFree()) return this.#task.tick!(time);
    if (this.#last?.kind === 'tick') {
      this.#last.time = time;
      return;
    }
    this.#last = { kind: 'tick', time };
    this.#queue.push(this.#last);
  }

  barrier(barrier: Barrier): void {
    if (this.#isFree()) return this.#task.cut(barrier);
    this.#last = undefined;
    this.#queue.push({ kind: 'barrier', barrier });
  }

  #isFree(): boolean {
    return this.length === 0 && this.#task.mayMove();
  }

  /** From outside of any step. */
  drain(): void {
    const { worker, gate } = this.#station;
    if (this.#draining) return;
    this.#draining = true;
    for (let next = this.#queue.first; next !== undefined && !worker.dead; next = this.#queue.first) {
      if (!(next.kind === 'input' ? this.#task.mayRun() : this.#task.mayMove())) break;
      if (gate.closed) {
        gate.whenOpen(() => {
          this.#draining = false;
          this.drain();
        });
        return;
      }
      this.#queue.shift();
      if (next === this.#last) this.#last = undefined;
      this.#take(next);
    }
    this.#draining = false;
    worker.progress();
  }

  #take(next: Input<P> | Moved | Ticked | Cut): void {
    if (next.kind === 'watermark') return this.#task.move(next.watermark, next.idle);
    if (next.kind === 'tick') return this.#task.tick!(next.time);
    if (next.kind === 'barrier') return this.#task.cut(next.barrier);
    const { port, value, time, key, anchor } = next;
    this.#station.worker.stepAlone(anchor, () => this.#task.run(port, value, time, key));
    this.#room.give();
    anchor?.release();
  }
}
