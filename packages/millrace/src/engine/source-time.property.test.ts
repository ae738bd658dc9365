/**
 * Event time of log spouts through the engine, over random sources: splits that are out of order within the bound, that
 * fall silent and come back, that end; downstream that is slow or fails; alignment; inactive times. No record that keeps
 * the bound may come late, nothing may stop for good, and in the end time is where the rules say.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asyncBolt, bolt, topology, type } from '../index.ts';
import type { Timers } from '../runtime/runtime.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import type { LogTask } from '../topology/spout.ts';
import { logSpout } from '../topology/spout.ts';

const IDLE = 1000;

interface Entry {
  /** Silence before it, in milliseconds. */
  readonly wait: number;
  /** By how much it is ahead of the newest of its split, or behind: within the bound. */
  readonly ahead: number;
  readonly behind: number;
}
const entry: fc.Arbitrary<Entry> = fc.record({
  wait: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: IDLE - 1 }) },
    { weight: 1, arbitrary: fc.integer({ min: IDLE, max: 3 * IDLE }) },
  ),
  ahead: fc.nat(60),
  behind: fc.nat(40),
});
const world = fc.record({
  splits: fc.array(
    fc.record({ entries: fc.array(entry, { maxLength: 30, size: 'max' }), ends: fc.boolean(), from: fc.nat(300) }),
    { minLength: 1, maxLength: 5 },
  ),
  parallelism: fc.integer({ min: 1, max: 3 }),
  outOfOrder: fc.nat(40),
  align: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
  maxPending: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(1000)),
  slow: fc.record({ queue: fc.integer({ min: 1, max: 8 }), each: fc.integer({ min: 0, max: 30 }), fails: fc.nat(3) }),
  guarantee: fc.constantFrom('at-least-once' as const, 'at-most-once' as const),
  inactive: fc.option(fc.tuple(fc.nat(3000), fc.integer({ min: IDLE, max: 4 * IDLE })), { nil: undefined }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

interface Heard {
  readonly split: number;
  readonly time: number;
}

/** The records of a split, and when each of them is there. */
function recordsOf({ entries, from }: World['splits'][number], outOfOrder: number) {
  let [newest, at] = [from, 0];
  return entries.map(({ wait, ahead, behind }) => {
    at += wait;
    const time = ahead > behind ? newest + ahead : newest - Math.min(behind, outOfOrder, newest);
    newest = Math.max(newest, time);
    return { at, time };
  });
}

/** A source of these splits. `last` gives one record more on every split that does not end. */
function sourceOf({ splits, outOfOrder }: World) {
  const records = splits.map((split) => recordsOf(split, outOfOrder));
  const given = splits.map(() => 0);
  const tasks: LogTask<Heard>[] = [];
  const wake = () => {
    for (const task of tasks) task.wake();
  };
  const spout = logSpout<Heard>({
    emits: type<Heard>(),
    splits: () => splits.map((_, n) => String(n)),
    open: (task) => {
      tasks.push(task);
      const paused = new Set<string>();
      const own = task.splits.map(Number);
      return {
        seek() {},
        pause: (split) => void paused.add(split),
        resume: (split) => void paused.delete(split),
        next(max) {
          let room = max;
          for (const n of own) {
            for (let next = records[n]![given[n]!]; room > 0; next = records[n]![given[n]!], room--) {
              if (paused.has(String(n)) || next === undefined || next.at > task.now()) break;
              const position = given[n]!++;
              task.emit(String(n), position, position + 1, { split: n, time: next.time }, next.time);
            }
            if (splits[n]!.ends && given[n] === records[n]!.length) task.endSplit(String(n));
          }
          return room === 0;
        },
        commit: async () => {},
      };
    },
  });
  const last = (time: number) => {
    for (const [n, { ends }] of splits.entries()) if (!ends) records[n]!.push({ at: 0, time });
    wake();
  };
  const start = ({ after }: Timers) => {
    for (const { at } of records.flat()) after(at, wake);
  };
  const left = () => records.some((all, n) => given[n]! < all.length);
  return { spout, start, last, left, total: () => records.reduce((sum, all) => sum + all.length, 0) };
}

/** Watches at a bolt behind the source that nothing within the bound comes late. */
class Watch {
  watermark = -Infinity;
  records = 0;
  readonly wrong: string[] = [];
  readonly #newest: number[];
  readonly #lastAt: number[];
  /** It may have been idle, and time has gone on without it. */
  readonly #behind: boolean[];
  readonly #silence: (from: number, to: number) => number;
  constructor({ splits }: World, silence: (from: number, to: number) => number) {
    this.#newest = splits.map(() => -Infinity);
    this.#lastAt = splits.map(() => 0);
    this.#behind = splits.map(() => false);
    this.#silence = silence;
  }
  record({ split, time }: Heard, now: number): void {
    this.records++;
    if (this.#silence(this.#lastAt[split]!, now) >= IDLE) this.#behind[split] = true;
    const where = `${time} of split ${split} at ${now}`;
    if (!this.#behind[split] && time <= this.watermark) this.wrong.push(`${where}: late, time is ${this.watermark}`);
    this.#lastAt[split] = now;
    this.#newest[split] = Math.max(this.#newest[split]!, time);
    if (this.#newest.every((newest) => newest <= this.#newest[split]!)) this.#behind[split] = false;
  }
  advance(time: number): void {
    if (time <= this.watermark) this.wrong.push(`time went from ${this.watermark} to ${time}`);
    this.watermark = time;
  }
}

async function check(given: World): Promise<void> {
  const { parallelism, outOfOrder, align, maxPending, slow, guarantee, inactive } = given;
  const [off, on] = inactive === undefined ? [Infinity, Infinity] : [inactive[0], inactive[0] + inactive[1]];
  const watch = new Watch(given, (from, to) => to - from - Math.max(0, Math.min(to, on) - Math.max(from, off)));
  const source = sourceOf(given);
  let calls = 0;
  const t = topology('random', (b) => {
    const time = { outOfOrder, idle: IDLE, ...(align === undefined ? {} : { align }) };
    const s = b.spout('s', source.spout, { parallelism, maxPending, time });
    const watching = bolt({
      prepare: ({ now }) => ({
        execute: (heard: Heard) => watch.record(heard, now()),
        watermark: (to: number) => watch.advance(to),
      }),
    });
    b.bolt('watch', s.global(), watching);
    const slowly = asyncBolt({
      concurrency: 1,
      async execute(_: Heard) {
        if (slow.each > 0) await new Promise((resolve) => setTimeout(resolve, slow.each));
        if (++calls % 4 < slow.fails) throw new Error('again');
      },
    });
    b.bolt('slow', s.shuffle(), slowly, { queue: slow.queue, onError: { retries: 1, backoff: 5 } });
  });
  const { runtime, running } = await startVirtual(t, { guarantee });
  source.start(runtime.timers);
  const until = async (done: () => boolean) => {
    for (let ms = 0; !done(); ms += 50) {
      assert.ok(ms < 600_000, 'it stands still');
      await runtime.advance(50);
    }
  };
  if (inactive !== undefined) {
    await runtime.advance(off);
    running.deactivate();
    await runtime.advance(on - off);
    running.activate();
  }
  await until(() => running.state === 'completed' || (!source.left() && watch.records === source.total()));
  if (given.splits.every(({ ends }) => ends)) {
    await runtime.until(running.done);
    assert.equal(watch.watermark, Infinity);
  } else {
    source.last(1_000_000);
    await until(() => watch.records === source.total());
    await until(() => watch.watermark >= 1_000_000 - outOfOrder - 1);
    assert.equal(watch.watermark, 1_000_000 - outOfOrder - 1);
  }
  assert.deepEqual(watch.wrong, []);
  assert.equal(watch.records, source.total());
}

test('no record within the bound is late, nothing stands still, and time ends where the rules say', async () => {
  await fc.assert(fc.asyncProperty(world, check), { numRuns: 150, seed: 4 });
});
