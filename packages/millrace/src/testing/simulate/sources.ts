/**
 * Spouts that are played: their values come from the simulation, each at its time, and what a source keeps (what was
 * acked, what was committed) outlives every crash. A log spout gives one split; a queue gives again what nobody acked.
 */
import type { Timers } from '../../runtime/runtime.ts';
import type { LogReader, LogTask, Position, QueueReader, QueueTask, SpoutCode } from '../../topology/spout.ts';
import type { TimedValue } from './outcome.ts';
import type { Process } from './process.ts';

const SPLIT = '0';

export class PlayedSource {
  readonly #name: string;
  readonly #timers: Timers;
  /** All that has come so far. */
  readonly #come: TimedValue[] = [];
  readonly #wakes: (() => void)[] = [];
  #committed: Position | undefined;
  readonly #acked = new Set<number>();
  /** How far each process has read. */
  readonly #read = new Map<Process, number>();

  constructor(name: string, timers: Timers) {
    this.#name = name;
    this.#timers = timers;
  }

  get name(): string {
    return this.#name;
  }
  get come(): readonly TimedValue[] {
    return this.#come;
  }
  /** A process has read all of it. */
  isReadBy(process: Process): boolean {
    return (this.#read.get(process) ?? 0) >= this.#come.length;
  }

  comes(record: TimedValue): void {
    this.#come.push(record);
    for (const wake of this.#wakes) wake();
  }

  /** The code of the spout in one process. */
  stand(kind: SpoutCode['kind'], process: Process): SpoutCode {
    if (kind === 'queue') return { kind, open: (task: never) => this.#queue(task, process) };
    return { kind, splits: () => [SPLIT], open: (task: never) => this.#log(task, process) };
  }

  #log(task: LogTask<unknown>, process: Process): LogReader {
    if (task.splits.length === 0)
      return { seek() {}, pause() {}, resume() {}, next: () => false, commit: async () => {} };
    let at = 0;
    let paused = false;
    this.#wakes.push(() => process.enter(() => task.wake()));
    return {
      seek: (_, position) => {
        at = position ?? this.#committed ?? 0;
        this.#read.set(process, at);
      },
      pause() {
        paused = true;
      },
      resume() {
        paused = false;
        task.wake();
      },
      next: (max) => {
        if (paused) return false;
        for (let left = max; left > 0 && at < this.#come.length; left--, at++) {
          const { value, time } = this.#come[at]!;
          task.emit(SPLIT, at, at + 1, value, time);
        }
        this.#read.set(process, at);
        return at < this.#come.length;
      },
      commit: (positions) =>
        this.#answer(process, () => {
          this.#committed = positions.get(SPLIT) ?? this.#committed;
        }),
    };
  }

  #queue(task: QueueTask<unknown>, process: Process): QueueReader {
    const emit = task.emit as (value: unknown, id: number, time: number) => void;
    if (task.index > 0) return { nextTuple: () => false };
    let at = 0;
    let again: number[] = [];
    const give = (id: number) => {
      const { value, time } = this.#come[id]!;
      emit(value, id, time);
    };
    this.#wakes.push(() => process.enter(() => task.wake()));
    return {
      nextTuple: () => {
        for (; at < this.#come.length && this.#acked.has(at); at++);
        const next = again.shift() ?? (at < this.#come.length ? at++ : undefined);
        this.#read.set(process, again.length > 0 ? 0 : at);
        if (next === undefined) return false;
        give(next);
        return true;
      },
      ack: (id) => void this.#acked.add(id as number),
      fail: (id) => {
        again = [...again, id as number];
        task.wake();
      },
    };
  }

  #answer(process: Process, act: () => void): Promise<void> {
    process.step();
    return process.answer(
      new Promise((resolve) => {
        this.#timers.after(1, () => {
          act();
          resolve();
        });
      }),
    );
  }
}
