/**
 * Where inputs meet, a barrier has come when it has come on all of them. What follows it on one of them waits here, in
 * order, until then: tuples with their trees held, watermarks, and the next barrier. A task may also close all of them for a
 * while itself.
 *
 * What waits is bounded by holding the spouts back, and not everything upstream as other queues do: the barrier that is
 * waited for may still be inside of an upstream task, which must be able to go on.
 */
import type { Key } from '../topology/key.ts';
import type { Barrier, BarrierInlet } from './barrier.ts';
import type { Port } from './edge.ts';
import type { BarrierWait, Inlet, TimeInlet } from './event-time.ts';
import { Fifo } from './fifo.ts';
import { Room } from './gate.ts';
import type { Station } from './station.ts';
import type { Anchor } from './tree.ts';

interface Held {
  readonly anchor: Anchor | undefined;
  /** Of a tuple; watermarks and barriers take no room. */
  readonly takesRoom: boolean;
  readonly take: () => void;
}

export class Alignment {
  readonly #station: Station;
  readonly #passed: (barrier: Barrier) => void;
  readonly #room: Room;
  readonly #inlets: AlignedInlet[] = [];
  /** Inlets on which the barrier has come. */
  #arrived = 0;
  /** The task itself lets nothing in. */
  #closed = false;
  #draining = false;

  /** `passed`: the barrier has come on all inlets. */
  constructor(station: Station, passed: (barrier: Barrier) => void) {
    this.#station = station;
    this.#passed = passed;
    this.#room = new Room(station.gate, station.component.settings.queue, 'spouts');
  }

  /** Tuples that wait. */
  get waiting(): number {
    return this.#room.used;
  }

  inlet(): AlignedInlet {
    const inlet = new AlignedInlet(this);
    this.#inlets.push(inlet);
    return inlet;
  }

  /** Nothing more comes in until `open`. */
  close(): void {
    this.#closed = true;
    for (const inlet of this.#inlets) inlet.shut = true;
  }

  /** From outside of any step. */
  open(): void {
    this.#closed = false;
    this.#drain();
  }

  arrived(inlet: AlignedInlet, barrier: Barrier): void {
    inlet.ahead = true;
    inlet.shut = true;
    if (++this.#arrived < this.#inlets.length) return;
    this.#arrived = 0;
    for (const each of this.#inlets) each.ahead = false;
    this.#passed(barrier);
    this.#drain();
  }

  hold(inlet: AlignedInlet, takesRoom: boolean, take: () => void): void {
    const anchor = takesRoom ? this.#station.worker.anchor : undefined;
    anchor?.hold();
    if (takesRoom) this.#room.take();
    inlet.held.push({ anchor, takesRoom, take });
  }

  /** What waits and may come in does, in the order of its inlet; while downstream is full it goes on waiting. */
  #drain(): void {
    const { worker, gate } = this.#station;
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    for (let more = true; more; ) {
      more = false;
      for (const inlet of this.#inlets) if (this.#drainInlet(inlet)) more = true;
    }
    this.#draining = false;
    if (this.#closed || worker.dead) return;
    for (const inlet of this.#inlets) inlet.shut = inlet.ahead || inlet.held.length > 0;
    if (this.#inlets.some(({ ahead, held }) => !ahead && held.length > 0)) gate.whenOpen(() => this.#drain());
    worker.progress();
  }

  /** True: something came in. */
  #drainInlet(inlet: AlignedInlet): boolean {
    const { worker, gate } = this.#station;
    let some = false;
    while (!inlet.ahead && inlet.held.length > 0 && !gate.closed && !this.#closed && !worker.dead) {
      const { anchor, takesRoom, take } = inlet.held.shift()!;
      worker.stepAlone(anchor, take);
      if (takesRoom) this.#room.give();
      anchor?.release();
      some = true;
    }
    return some;
  }
}

/** One of the task's inputs: from one output of one task. */
class AlignedInlet implements BarrierInlet, BarrierWait {
  /** The barrier has come here, and not yet everywhere. */
  ahead = false;
  /** What comes waits: in `held`. */
  shut = false;
  readonly held = new Fifo<Held>();
  /** Watermarks among them. */
  #times = 0;
  readonly #alignment: Alignment;

  constructor(alignment: Alignment) {
    this.#alignment = alignment;
  }

  barrier(barrier: Barrier): void {
    if (this.shut) this.#alignment.hold(this, false, () => this.#alignment.arrived(this, barrier));
    else this.#alignment.arrived(this, barrier);
  }

  port(port: Port): Port {
    return new AlignedPort(this, this.#alignment, port);
  }

  time(inlet: Inlet): TimeInlet {
    inlet.barrier = this;
    return {
      advance: (watermark, idle) => {
        if (!this.shut) return inlet.advance(watermark, idle);
        this.#times++;
        this.#alignment.hold(this, false, () => {
          this.#times--;
          inlet.advance(watermark, idle);
        });
      },
    };
  }

  get holdsTime(): boolean {
    return this.#times > 0;
  }
  get waiting(): number {
    return this.#alignment.waiting;
  }
}

class AlignedPort implements Port {
  readonly #inlet: AlignedInlet;
  readonly #alignment: Alignment;
  readonly #port: Port;

  constructor(inlet: AlignedInlet, alignment: Alignment, port: Port) {
    this.#inlet = inlet;
    this.#alignment = alignment;
    this.#port = port;
  }

  receive(value: unknown, time: number, key: Key | undefined): void {
    if (this.#inlet.shut) this.#alignment.hold(this.#inlet, true, () => this.#port.receive(value, time, key));
    else this.#port.receive(value, time, key);
  }
}
