/**
 * Event time on its way through the tasks (law 7). A watermark follows the tuples it speaks of: whoever emitted them
 * tells every task that takes them, through that task's inlet, and the task's own event time is the least of what its
 * inlets have been told. It never goes back. An inlet whose source is idle does not hold the others back; when all are
 * idle, or idle or at their end, time stays. It comes to its end only when all inlets have.
 */

/** Where one output of one task tells another task how far event time has come. */
export interface TimeInlet {
  advance(watermark: number, idle: boolean): void;
}

/** Where a watermark may wait in front of an inlet, behind the barrier of a checkpoint. */
export interface BarrierWait {
  readonly holdsTime: boolean;
  /** Tuples that wait with it, on all inlets of the task. */
  readonly waiting: number;
}

/** One inlet, with the task behind it: `task` counts from 0 within its component. */
export class Inlet implements TimeInlet {
  watermark = -Infinity;
  idle = false;
  /** Where inputs meet. */
  barrier: BarrierWait | undefined = undefined;
  readonly source: string;
  readonly task: number;
  readonly #merge: TimeMerge;

  constructor(source: string, task: number, merge: TimeMerge) {
    this.source = source;
    this.task = task;
    this.#merge = merge;
  }

  advance(watermark: number, idle: boolean): void {
    if (watermark > this.watermark) this.watermark = watermark;
    this.idle = idle;
    this.#merge.changed();
  }
}

/** The event time of one task. `moved` is called when it has grown, or when all inlets have fallen idle or one woke up. */
export class TimeMerge {
  watermark = -Infinity;
  idle = false;
  readonly inlets: Inlet[] = [];
  readonly #moved: (watermark: number, idle: boolean) => void;

  constructor(moved: (watermark: number, idle: boolean) => void) {
    this.#moved = moved;
  }

  /** An inlet for one output of a task of component `source`. */
  inlet(source: string, task: number): Inlet {
    const inlet = new Inlet(source, task, this);
    this.inlets.push(inlet);
    return inlet;
  }

  changed(): void {
    let least = Infinity;
    let [active, idle] = [false, false];
    for (const inlet of this.inlets) {
      // One that has ended holds nobody, and is no reason either to give up those that are idle.
      if (inlet.watermark === Infinity) continue;
      if (inlet.idle) idle = true;
      else active = true;
      if (!inlet.idle && inlet.watermark < least) least = inlet.watermark;
    }
    if (active) idle = false;
    const watermark = idle ? this.watermark : Math.max(this.watermark, least);
    if (watermark === this.watermark && idle === this.idle) return;
    this.watermark = watermark;
    this.idle = idle;
    this.#moved(watermark, idle);
  }
}
