import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SimulatedRuntime } from '../runtime/simulated.ts';
import { simulatedRuntime } from '../runtime/simulated.ts';
import type { SpoutTime } from '../topology/event-time.ts';
import { timeSettings } from '../topology/options.ts';
import { SourceGroup } from './source-group.ts';
import { SourceTime } from './source-time.ts';

/** A task as the engine is one: what is due is told soon after. */
class Task {
  readonly told: string[] = [];
  readonly aligned: string[] = [];
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  readonly time: SourceTime;
  constructor(runtime: SimulatedRuntime, group: SourceGroup, splits: readonly string[], time: SpoutTime<never>) {
    this.time = new SourceTime({
      component: 's',
      settings: timeSettings('s', time),
      splits,
      group,
      clock: runtime.clock,
      timers: runtime.timers,
      send: (watermark, idle) => this.told.push(idle ? `idle ${watermark}` : String(watermark)),
      wake: () => runtime.timers.soon(() => this.tell()),
      align: (split, farAhead) => {
        this.aligned.push(`${farAhead ? 'pause' : 'resume'} ${split}`);
        this.time.pause(this.split(split), farAhead);
      },
      log: (text) => this.log.push(text),
      failed: (thrown) => this.errors.push(thrown),
    });
    this.time.hold(false);
    this.tell();
  }
  split(name: string) {
    return this.time.splits.find((split) => split.name === name)!;
  }
  tell(drained = true): void {
    if (this.time.due) this.time.advance(drained);
  }
  /** A batch of records of one split, as the engine sends it. */
  give(name: string, ...times: readonly number[]): void {
    const split = this.split(name);
    if (split.idle) this.time.isBack(split);
    this.tell(false);
    for (const time of times) split.sent('x', time);
    this.time.due = true;
    this.tell();
  }
  end(name: string): void {
    this.time.hasEnded(this.split(name));
    this.tell();
  }
  /** What was told since the last look. */
  new(): string[] {
    return this.told.splice(0);
  }
}

function one(time: SpoutTime<never>, ...splits: readonly string[]) {
  const runtime = simulatedRuntime({ seed: 1 });
  return { runtime, task: new Task(runtime, new SourceGroup(), splits, time) };
}

function two(time: SpoutTime<never>) {
  const runtime = simulatedRuntime({ seed: 1 });
  const group = new SourceGroup();
  return { runtime, a: new Task(runtime, group, ['a'], time), b: new Task(runtime, group, ['b'], time) };
}

test('the watermark is behind the newest time by the bound and one, and does not go back', () => {
  const { task } = one({ outOfOrder: 10 }, 'a');
  assert.deepEqual(task.new(), []);
  task.give('a', 100, 95);
  task.give('a', 96);
  task.give('a', 101);
  assert.deepEqual(task.new(), ['89', '90']);
});

test('the slowest split holds the others, one that has not given anything above all', () => {
  const { task } = one({}, 'a', 'b');
  task.give('a', 100);
  assert.deepEqual(task.new(), []);
  task.give('b', 50);
  task.give('b', 200);
  assert.deepEqual(task.new(), ['49', '99']);
});

test('a split that is silent for too long does not hold the others, from the millisecond on that was said', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a', 'b');
  task.give('b', 50);
  await runtime.advance(4000);
  task.give('a', 100);
  assert.deepEqual(task.new(), ['49']);
  await runtime.advance(999);
  assert.deepEqual(task.new(), []);
  await runtime.advance(1);
  assert.deepEqual(task.new(), ['99']);
});

test('an idle split that is back holds the others at where it is, and time does not go back for it', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a', 'b');
  task.give('b', 50);
  await runtime.advance(4000);
  task.give('a', 100);
  await runtime.advance(1000);
  assert.deepEqual(task.new(), ['49', '99']);
  task.give('b', 60);
  task.give('a', 200);
  assert.deepEqual(task.new(), []);
  task.give('b', 150);
  assert.deepEqual(task.new(), ['149']);
});

test('when all are idle time stays, and the first that is back is told before its record', async () => {
  const { runtime, task } = one({}, 'a', 'b');
  task.give('a', 100);
  await runtime.advance('31s');
  assert.deepEqual(task.new(), ['idle -Infinity']);
  const split = task.split('a');
  task.time.isBack(split);
  task.tell(false);
  assert.deepEqual(task.new(), ['99']);
  split.sent('x', 120);
});

test('a task without splits is idle from the start', () => {
  assert.deepEqual(one({}).task.new(), ['idle -Infinity']);
});

test('time in which the task was held does not count as silence', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a');
  await runtime.advance('3s');
  task.time.hold(true);
  await runtime.advance('1h');
  task.time.hold(false);
  await runtime.advance(1999);
  assert.deepEqual(task.new(), []);
  await runtime.advance(1);
  assert.deepEqual(task.new(), ['idle -Infinity']);
});

test('time in which a split was paused does not count as its silence', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a', 'b');
  await runtime.advance('3s');
  task.time.pause(task.split('a'), true);
  await runtime.advance('1h');
  task.time.pause(task.split('a'), false);
  await runtime.advance(1999);
  assert.deepEqual(task.new(), []);
  await runtime.advance(1);
  assert.deepEqual(task.new(), ['idle -Infinity']);
});

test('a split that goes on after a pause falls idle by its own silence, not by that of the others', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a', 'b');
  await runtime.advance('3s');
  task.time.pause(task.split('a'), true);
  await runtime.advance('1s');
  task.give('b', 100);
  await runtime.advance('2s');
  task.time.pause(task.split('a'), false);
  await runtime.advance(1999);
  assert.deepEqual(task.new(), []);
  await runtime.advance(1);
  assert.deepEqual(task.new(), ['99']);
});

test('records of a paused split that were under way begin its silence anew', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a');
  await runtime.advance('3s');
  task.time.pause(task.split('a'), true);
  task.give('a', 100);
  task.time.pause(task.split('a'), false);
  await runtime.advance(4999);
  assert.deepEqual(task.new(), ['99']);
  await runtime.advance(1);
  assert.deepEqual(task.new(), ['idle 99']);
});

test('no timer is left when all are idle, paused, or have ended, nor while the task is held', async () => {
  const left = async (end: (task: Task) => void) => {
    const watermark = () => ({ record: () => undefined, clock: () => undefined });
    const { runtime, task } = one({ idle: '5s', watermark }, 'a');
    end(task);
    await assert.rejects(runtime.until(new Promise(() => {})), /nothing is left to do/);
    return runtime.clock.now();
  };
  assert.equal(await left(() => {}), 5000);
  assert.equal(await left((task) => task.time.hold(true)), 5000);
  assert.equal(await left((task) => task.time.pause(task.split('a'), true)), 5000);
  assert.equal(await left((task) => task.end('a')), 5000);
  assert.equal(await left((task) => task.time.end()), 0);
});

test('a record that was sent and not looked at yet ends the silence', async () => {
  const { runtime, task } = one({ idle: '5s' }, 'a');
  await runtime.advance(4999);
  task.split('a').sent('x', 100);
  await runtime.advance(1000);
  assert.deepEqual(task.new(), []);
  task.time.due = true;
  task.tell();
  assert.deepEqual(task.new(), ['99']);
});

test('a split that ended holds nobody, once all that it gave has been sent off', () => {
  const { task } = one({}, 'a', 'b');
  task.give('a', 10);
  task.give('b', 100);
  assert.deepEqual(task.new(), ['9']);
  task.time.hasEnded(task.split('a'));
  task.tell(false);
  assert.deepEqual(task.new(), []);
  task.time.due = true;
  task.tell();
  assert.deepEqual(task.new(), ['99']);
});

test('when all splits have ended nobody is held, and time stays until the end is told, once', async () => {
  const { runtime, task } = one({}, 'a', 'b');
  task.give('a', 10);
  task.give('b', 20);
  task.end('a');
  task.end('b');
  await runtime.advance('1h');
  assert.deepEqual(task.new(), ['9', '19', 'idle 19']);
  task.time.end();
  task.time.end();
  task.give('b', 30);
  assert.deepEqual(task.new(), ['Infinity']);
});

test('where idle sources follow the clock they go on with it, by the bound behind', async () => {
  const { runtime, task } = one({ outOfOrder: 100, idle: '5s', whenIdle: 'clock' }, 'a', 'b');
  task.give('a', 50);
  await runtime.advance(5000);
  assert.deepEqual(task.new(), ['4899']);
  await runtime.advance(400);
  assert.deepEqual(task.new(), ['5099', '5299']);
  task.give('a', 5500);
  await runtime.advance(2000);
  assert.deepEqual(task.new(), ['5399']);
});

test('idle sources that follow the clock do not while the task is held', async () => {
  const { runtime, task } = one({ idle: '1s', whenIdle: 'clock' }, 'a');
  await runtime.advance(1000);
  task.time.hold(true);
  task.new();
  await runtime.advance('1h');
  assert.deepEqual(task.new(), []);
  task.time.hold(false);
  await runtime.advance(200);
  assert.deepEqual(task.new(), [String(3_600_000 + 1200 - 1)]);
});

test('time follows the clock only when the splits of all tasks are idle', async () => {
  const { runtime, a, b } = two({ idle: '5s', whenIdle: 'clock' });
  await runtime.advance(3000);
  b.give('b', 100);
  await runtime.advance(4999);
  assert.deepEqual([a.new(), b.new()], [['idle -Infinity'], ['99']]);
  await runtime.advance(1);
  assert.deepEqual([a.new(), b.new()], [['7999'], ['7999']]);
  b.give('b', 8100);
  await runtime.advance(1000);
  assert.deepEqual([a.new(), b.new()], [['idle 7999'], ['8099']]);
});

test('when the last task that was not idle ends, the others follow the clock, unless they are held', async () => {
  for (const held of [false, true]) {
    const { runtime, a, b } = two({ idle: '5s', whenIdle: 'clock' });
    await runtime.advance(3000);
    b.give('b', 100);
    await runtime.advance(4000);
    assert.deepEqual([a.new(), b.new()], [['idle -Infinity'], ['99']]);
    a.time.hold(held);
    b.end('b');
    await runtime.settle();
    assert.deepEqual(a.new(), held ? [] : ['6999']);
  }
});

test('by ingestion time goes on with the clock as soon as nothing comes', async () => {
  const { runtime, task } = one('ingestion', 'a');
  await runtime.advance(200);
  assert.deepEqual(task.new(), ['199']);
  task.give('a', 210);
  assert.deepEqual(task.new(), ['209']);
});

test("the user's rule says how far time has come; what goes back or is no time is ignored", () => {
  const says = [undefined, 5, 3, Number.NaN, Infinity, -Infinity, Number.NaN, 8];
  const { task } = one({ watermark: () => ({ record: () => says.shift() }) }, 'a');
  for (let i = 0; i < 8; i++) task.give('a', 100 + i);
  assert.deepEqual(task.new(), ['5', '8']);
  assert.deepEqual(task.log, ["the watermark of split 'a' is NaN, which is no time; it is ignored"]);
});

test("the user's rule is made once per split and hears of its records only", () => {
  const heard: string[] = [];
  let made = 0;
  const watermark = () => {
    const id = made++;
    return { record: (_: string, time: number) => void heard.push(`${id}:${time}`) };
  };
  const { task } = one({ watermark }, 'a', 'b');
  task.give('a', 1);
  task.give('b', 2);
  assert.deepEqual(heard, ['0:1', '1:2']);
});

test("the user's rule is asked by the clock, but not while its split is idle, paused, held or has ended", async () => {
  const asked: number[] = [];
  const clock = (now: number) => {
    asked.push(now);
    return now - 50;
  };
  const { runtime, task } = one({ idle: '1s', watermark: () => ({ record: () => undefined, clock }) }, 'a');
  await runtime.advance(450);
  assert.deepEqual(asked.splice(0), [200, 400]);
  assert.deepEqual(task.new(), ['150', '350']);
  task.time.hold(true);
  await runtime.advance(1000);
  assert.deepEqual(asked.splice(0), []);
  task.time.hold(false);
  await runtime.advance(10_000);
  assert.deepEqual(asked.splice(0), [1650, 1850]);
  task.give('a', 1);
  task.time.pause(task.split('a'), true);
  await runtime.advance(1000);
  assert.deepEqual(asked.splice(0), []);
  task.time.pause(task.split('a'), false);
  await runtime.advance(200);
  assert.equal(asked.splice(0).length, 1);
  task.end('a');
  await runtime.advance(1000);
  assert.deepEqual(asked, []);
});

test('what is no rule is refused when the topology starts', () => {
  for (const nothing of [undefined, {}, { record: 5 }]) {
    assert.throws(() => one({ watermark: () => nothing as never }, 'a'), {
      code: 'MR_OPTION',
      message: /^'s': what time.watermark\(\) gives is .*, which is not an object with the method record/,
    });
  }
});

test("a user's rule that throws is an error", async () => {
  const { runtime, task } = one(
    {
      watermark: () => ({
        record() {
          throw new Error('no');
        },
        clock() {
          throw new Error('never');
        },
      }),
    },
    'a',
  );
  task.give('a', 1);
  await runtime.advance(200);
  assert.deepEqual(task.errors.map(String), ['Error: no', 'Error: never']);
});

test('a split that runs too far ahead of the slowest, of whatever task, is paused until that has caught up', () => {
  const { a, b } = two({ align: 100 });
  a.give('a', 10);
  b.give('b', 10);
  b.give('b', 110);
  assert.deepEqual(b.aligned, []);
  b.give('b', 111);
  assert.deepEqual(b.aligned.splice(0), ['pause b']);
  a.give('a', 11);
  assert.deepEqual(b.aligned, ['resume b']);
  assert.deepEqual(a.aligned, ['pause a', 'resume a']);
});

test('an idle split does not hold others by alignment, nor one that has ended; all others do', async () => {
  const { runtime, a, b } = two({ align: 100, idle: '5s' });
  b.give('b', 500);
  assert.deepEqual(b.aligned, ['pause b']);
  await runtime.advance('5s');
  assert.deepEqual(b.aligned.splice(0), ['pause b', 'resume b']);
  a.give('a', 10);
  b.give('b', 501);
  assert.deepEqual(b.aligned.splice(0), ['pause b']);
  a.end('a');
  assert.deepEqual(b.aligned, ['resume b']);
});

test('a task whose end is told releases those that waited for it', async () => {
  const { a, b } = two({ align: 100 });
  b.give('b', 500);
  a.time.end();
  assert.deepEqual(b.aligned, ['pause b', 'resume b']);
});

test('a report says, of each split, how far it is, since when, and why it gives nothing', async () => {
  const { runtime, task } = one({ align: 100, idle: '5s', outOfOrder: 10 }, 'a', 'b', 'c');
  await runtime.advance(1000);
  task.give('a', 50);
  task.give('b', 700);
  await runtime.advance(500);
  task.give('a', 45);
  task.end('c');
  await runtime.advance(200);
  const [a, b, c] = task.time.report();
  const split = { idle: false, ended: false, farAhead: false, since: 1000, idleIn: Infinity };
  assert.deepEqual(a, { ...split, split: 'a', watermark: 39, newest: 50, idleIn: 4800 });
  assert.deepEqual(b, { ...split, split: 'b', watermark: 689, newest: 700, farAhead: true });
  assert.deepEqual(c, { ...split, split: 'c', watermark: -Infinity, newest: -Infinity, ended: true, since: 0 });
  await runtime.advance('5s');
  assert.deepEqual(
    task.time.report().map(({ idle }) => idle),
    [true, false, false],
  );
});

/** What the rules say, found out the slow way: millisecond by millisecond, all splits each time. */
class Model {
  readonly splits = [0, 1, 2, 3].map((n) => {
    return { task: n % 2, newest: -Infinity, silent: 0, idle: false, wasIdle: false, over: false, paused: false };
  });
  readonly tasks = [0, 1].map(() => ({ held: false, watermark: -Infinity, idle: false }));
  readonly #rules: Rules;
  constructor(rules: Rules) {
    this.#rules = rules;
  }
  give(n: number, times: readonly number[]): void {
    const split = this.splits[n]!;
    split.idle = false;
    split.silent = 0;
    this.#settle();
    split.newest = Math.max(split.newest, ...times);
    this.#settle();
  }
  end(n: number): void {
    this.splits[n]!.over = true;
    this.#settle();
  }
  pass(ms: number): void {
    for (let left = ms; left > 0; left--) {
      for (const split of this.splits) {
        if (split.idle || split.over || split.paused || this.tasks[split.task]!.held) continue;
        if (++split.silent === this.#rules.idle) split.idle = split.wasIdle = true;
      }
      this.#settle();
    }
  }
  #settle(): void {
    const watermark = (split: { newest: number }) => split.newest - this.#rules.outOfOrder - 1;
    const active = this.splits.filter((split) => !split.idle && !split.over);
    const slowest = Math.min(...active.map(watermark));
    for (const split of this.splits)
      split.paused = active.includes(split) && watermark(split) > slowest + (this.#rules.align ?? Infinity);
    for (const [t, task] of this.tasks.entries()) {
      const own = active.filter((split) => split.task === t);
      if (own.length > 0) task.watermark = Math.max(task.watermark, Math.min(...own.map(watermark)));
      if (own.length > 0) task.idle = false;
      else task.idle = true;
    }
  }
}

interface Rules {
  readonly idle: number;
  readonly outOfOrder: number;
  readonly align?: number;
}
type Move =
  | {
      readonly kind: 'give';
      readonly split: number;
      readonly steps: readonly (readonly [ahead: boolean, by: number])[];
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'end'; readonly split: number }
  | { readonly kind: 'hold'; readonly task: number; readonly held: boolean };

const split = fc.nat(3);
const step = fc.tuple(fc.boolean(), fc.nat(40));
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('give'), split, steps: fc.array(step, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold'), task: fc.nat(1), held: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end'), split }) },
);
const rules: fc.Arbitrary<Rules> = fc.record(
  { idle: fc.constant(50), outOfOrder: fc.nat(20), align: fc.integer({ min: 1, max: 100 }) },
  { requiredKeys: ['idle', 'outOfOrder'] },
);

test('over random records, silence, holds and ends, time is where the rules say, and passes no record within the bound', async () => {
  await fc.assert(
    fc.asyncProperty(rules, fc.array(move, { maxLength: 60, size: 'max' }), async (given, moves) => {
      const runtime = simulatedRuntime({ seed: 1 });
      const group = new SourceGroup();
      const tasks = [new Task(runtime, group, ['0', '2'], given), new Task(runtime, group, ['1', '3'], given)];
      const model = new Model(given);
      for (const move of moves) {
        await play(move, given, model, tasks, runtime);
        for (const [t, task] of tasks.entries()) {
          const all = task.told.map((told) => Number(told.replace('idle ', '')));
          assert.ok(
            all.every((watermark, i) => watermark >= (all[i - 1] ?? -Infinity)),
            `${all} goes back`,
          );
          const { watermark, idle } = model.tasks[t]!;
          const last = task.told.at(-1) ?? '-Infinity';
          assert.equal(last, idle ? `idle ${watermark}` : String(watermark), `task ${t} after ${JSON.stringify(move)}`);
        }
        for (const [n, { paused, idle, over }] of model.splits.entries()) {
          const report = tasks[n % 2]!.time.report()[n >> 1]!;
          assert.equal(report.farAhead, paused, `split ${n} is paused`);
          if (!over) assert.equal(report.idle, idle, `split ${n} is idle`);
        }
      }
    }),
    { numRuns: 200, seed: 4 },
  );
});

async function play(move: Move, rules: Rules, model: Model, tasks: readonly Task[], runtime: SimulatedRuntime) {
  if (move.kind === 'pass') {
    model.pass(move.ms);
    await runtime.advance(move.ms);
  } else if (move.kind === 'hold') {
    model.tasks[move.task]!.held = move.held;
    tasks[move.task]!.time.hold(move.held);
  } else {
    const split = model.splits[move.split]!;
    const task = tasks[split.task]!;
    if (split.over) return;
    if (move.kind === 'end') {
      model.end(move.split);
      return task.end(String(move.split));
    }
    if (split.paused) return;
    let newest = split.newest === -Infinity ? 1000 : split.newest;
    const times = move.steps.map(([ahead, by]) => {
      const time = ahead ? newest + by : newest - Math.min(by, rules.outOfOrder);
      newest = Math.max(newest, time);
      return time;
    });
    const told = Number((task.told.at(-1) ?? '-Infinity').replace('idle ', ''));
    if (!split.wasIdle) for (const time of times) assert.ok(time > told, `${time} comes when time is at ${told}`);
    model.give(move.split, times);
    task.give(String(move.split), ...times);
  }
}
