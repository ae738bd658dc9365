/** For tests of event time: a log that a test fills while it runs, and a bolt that writes down what it hears. */
import type { SpoutOptions } from '../index.ts';
import { bolt, topology, type } from '../index.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import type { Guarantee } from '../topology/receipt.ts';
import type { LogTask } from '../topology/spout.ts';
import { logSpout } from '../topology/spout.ts';

/** A log whose splits a test fills while it runs. A record is its time. */
export class Tap {
  readonly asked: string[] = [];
  /** Virtual milliseconds. */
  commitTakes = 0;
  /** The task that reads this split throws when it is asked. */
  broken: string | undefined;
  readonly opened: LogTask<number>[] = [];
  readonly #left = new Map<string, number[]>();
  readonly #ended = new Set<string>();
  readonly #paused = new Set<string>();
  readonly spout;

  constructor(...splits: readonly string[]) {
    for (const split of splits) this.#left.set(split, []);
    this.spout = logSpout<number>({
      emits: type<number>(),
      splits: () => splits,
      open: (task) => {
        this.opened.push(task);
        const positions = new Map<string, number>();
        return {
          seek: (split) => void positions.set(split, 0),
          pause: (split) => this.#note(`pause ${split}`, () => this.#paused.add(split)),
          resume: (split) => this.#note(`resume ${split}`, () => this.#paused.delete(split)),
          next: (max) => {
            if (task.splits.includes(this.broken!)) throw new Error('connection lost');
            return this.#next(task, positions, max);
          },
          commit: async () => {
            if (this.commitTakes > 0) await new Promise((resolve) => setTimeout(resolve, this.commitTakes));
          },
        };
      },
    });
  }

  give(split: string, ...times: readonly number[]): void {
    this.#left.get(split)!.push(...times);
    for (const task of this.opened) task.wake();
  }
  end(split: string): void {
    this.#ended.add(split);
    for (const task of this.opened) task.wake();
  }

  #note(what: string, doing: () => void): void {
    this.asked.push(what);
    doing();
  }

  #next(task: LogTask<number>, positions: Map<string, number>, max: number): boolean {
    let room = max;
    for (const split of task.splits) {
      const left = this.#left.get(split)!;
      for (; room > 0 && left.length > 0 && !this.#paused.has(split); room--) {
        const position = positions.get(split)!;
        positions.set(split, position + 1);
        task.emit(split, position, position + 1, left[0]!, left.shift()!);
      }
      if (left.length === 0 && this.#ended.has(split)) task.endSplit(split);
    }
    return room === 0;
  }
}

/** A bolt that writes down what it hears. */
export const hears = (heard: string[]) =>
  bolt({
    prepare: () => ({
      execute: (value: unknown, time: number) => void heard.push(`${value}@${time}`),
      watermark: (time: number) => void heard.push(`to ${time}`),
    }),
  });

export async function tapped(tap: Tap, options: SpoutOptions<number>, guarantee?: Guarantee) {
  const heard: string[] = [];
  const t = topology('tapped', (b) => {
    b.bolt('out', b.spout('s', tap.spout, options).global(), hears(heard));
  });
  const started = await startVirtual(t, guarantee === undefined ? {} : { guarantee });
  const { runtime } = started;
  const settled = async (doing: () => void = () => {}) => {
    doing();
    await runtime.settle();
    return heard.splice(0);
  };
  return { ...started, settled };
}
