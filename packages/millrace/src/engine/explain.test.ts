/** Who holds event time, on graphs drawn by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SplitTime } from '../time/split-watermark.ts';
import type { SourceView, TaskView } from './explain.ts';
import { holdersOf } from './explain.ts';
import type { Holder, TaskPlace, Wait } from './explanation.ts';

const NEVER = -Infinity;

interface Drawn {
  /** Told by inputs, and given on, if that is less. */
  readonly received?: number;
  readonly watermark?: number;
  readonly idle?: boolean;
  readonly waits?: readonly Wait[];
  /** `component task` → what it has told, or 'idle', or 'idle at n'. */
  readonly from?: { readonly [id: string]: number | readonly ['idle', number] };
  readonly splits?: readonly Partial<SplitTime>[];
  readonly settings?: Partial<SourceView['settings']>;
}

/** Tasks by `component task`. */
function drawn(tasks: { readonly [id: string]: Drawn }) {
  const view = ({ component, task }: TaskPlace): TaskView => {
    const of = tasks[`${component} ${task}`]!;
    const { received = of.watermark ?? 0, watermark = received, idle = false, waits = [], from = {}, splits } = of;
    const inlets = Object.entries(from).map(([id, told]) => ({
      source: id.split(' ')[0]!,
      task: Number(id.split(' ')[1]),
      watermark: typeof told === 'number' ? told : told[1],
      idle: typeof told !== 'number',
    }));
    const settings = { outOfOrder: 0, watermark: undefined, whenIdle: 'wait' as const, ...of.settings };
    const source = splits && { settings, splits: splits.map(split) };
    return { component, task, received, watermark, idle, waits, inlets, ...(source && { source }) };
  };
  return (time: number, component = 'end', task = 0): readonly Holder[] =>
    holdersOf(view, view({ component, task }), time);
}

function split(of: Partial<SplitTime>, index: number): SplitTime {
  const standard = { split: `s${index}`, newest: 0, idle: false, ended: false, farAhead: false, since: 7 };
  return { ...standard, watermark: NEVER, idleIn: Infinity, ...of };
}

const path = ({ path: of }: Holder) => of.map(({ component, task }) => `${component} ${task}`).join(' ← ');
const names = (holders: readonly Holder[]) =>
  holders.map(({ component, task, split: of }) =>
    of === undefined ? `${component} ${task}` : `${component} ${of.split}`,
  );

test('the way leads through the least inputs up to the split, and the split says what it needs', () => {
  const holders = drawn({
    'end 0': { watermark: 30, from: { 'mid 0': 50, 'mid 1': 30 } },
    'mid 0': { watermark: 50, from: { 'in 0': 50, 'in 1': 80 } },
    'mid 1': { watermark: 30, from: { 'in 0': 30, 'in 1': 80 } },
    'in 0': {
      watermark: 30,
      splits: [{ watermark: 95 }, { watermark: 30, newest: 41, idleIn: 12.3 }],
      settings: { outOfOrder: 10 },
    },
    'in 1': { watermark: 80, splits: [{ watermark: 80 }] },
  })(60);
  assert.deepEqual(names(holders), ['in s1']);
  assert.equal(path(holders[0]!), 'end 0 ← mid 1 ← in 0');
  assert.deepEqual(holders[0], {
    component: 'in',
    task: 0,
    watermark: 30,
    waits: [],
    split: { split: 's1', newest: 41, since: 7, idle: false, farAhead: false, idleIn: 13, needs: 71 },
    path: holders[0]!.path,
  });
});

test('all who hold are named once each, the furthest behind first, whatever ways lead to them', () => {
  const graph = drawn({
    'end 0': { watermark: NEVER, from: { 'left 0': 20, 'right 0': NEVER, 'other 0': 70 } },
    'left 0': { watermark: 20, from: { 'in 0': 20 } },
    'right 0': { watermark: NEVER, from: { 'in 0': 20, 'other 0': NEVER } },
    'in 0': { watermark: 20, splits: [{ watermark: 40 }, { watermark: 20 }, { watermark: 60 }] },
    'other 0': { watermark: NEVER, splits: [{ newest: NEVER }] },
  });
  assert.deepEqual(names(graph(50)), ['other s0', 'in s1', 'in s0']);
  assert.deepEqual(graph(50)[0]!.split?.newest, 'not begun');
  assert.deepEqual(names(graph(61)), ['other s0', 'in s1', 'in s0', 'in s2']);
  assert.deepEqual(names(graph(20)), ['other s0']);
});

test('what is idle or has ended holds nobody, unless all that is left is idle', () => {
  const some = drawn({
    'end 0': { watermark: 20, from: { 'a 0': ['idle', 5], 'b 0': 20 } },
    'a 0': { watermark: 5, idle: true, splits: [{ watermark: 5, idle: true }] },
    'b 0': { watermark: 20, splits: [{ watermark: 9, idle: true }, { watermark: 8, ended: true }, { watermark: 20 }] },
  });
  assert.deepEqual(names(some(30)), ['b s2']);
  const all = drawn({
    'end 0': { watermark: 20, idle: true, from: { 'a 0': ['idle', 5], 'b 0': ['idle', 20] } },
    'a 0': { watermark: 5, idle: true, splits: [{ watermark: 5, idle: true }] },
    'b 0': {
      watermark: 20,
      idle: true,
      splits: [
        { watermark: 9, idle: true },
        { watermark: 8, ended: true },
      ],
    },
  });
  assert.deepEqual(names(all(30)), ['a s0', 'b s0']);
  assert.equal(all(30)[0]!.split?.idle, true);
});

test('a watermark that waits in a task is held there; what is behind it upstream holds as well', () => {
  const waits: readonly Wait[] = [{ kind: 'calls', inputs: 3 }];
  const graph = (told: number) =>
    drawn({
      'end 0': { watermark: 10, from: { 'calls 0': 10 } },
      'calls 0': { received: told, watermark: 10, waits, from: { 'in 0': told } },
      'in 0': { watermark: told, splits: [{ watermark: told }] },
    });
  assert.deepEqual(names(graph(100)(50)), ['calls 0']);
  assert.deepEqual(graph(100)(50)[0]!.waits, waits);
  assert.deepEqual(names(graph(40)(50)), ['calls 0', 'in s0']);
  // What waits there for a later watermark does not hold this one.
  assert.deepEqual(names(graph(10)(50)), ['in s0']);
});

test('the task that was asked about may itself be busy', () => {
  const waits: readonly Wait[] = [{ kind: 'retries', inputs: 1 }];
  const holders = drawn({
    'end 0': { received: 90, watermark: 10, waits, from: { 'in 0': 90 } },
    'in 0': { watermark: 90, splits: [{ watermark: 90 }] },
  })(50);
  assert.deepEqual(holders, [
    { component: 'end', task: 0, watermark: 10, waits, path: [{ component: 'end', task: 0 }] },
  ]);
});

test('by a rule of its own a split needs no certain record, and none is needed where the clock goes on', () => {
  const rule = drawn({
    'end 0': { watermark: 10, from: { 'in 0': 10 } },
    'in 0': {
      watermark: 10,
      splits: [{ watermark: 10 }],
      settings: { watermark: () => ({ record: () => undefined }) },
    },
  })(50);
  assert.equal(rule[0]!.split?.needs, undefined);
  const clock = drawn({
    'end 0': { watermark: 10, from: { 'in 0': 10 } },
    'in 0': { watermark: 10, splits: [{ watermark: 3, idle: true }], settings: { whenIdle: 'clock', outOfOrder: 5 } },
  })(50);
  assert.deepEqual([names(clock), clock[0]!.clock], [['in 0'], 56]);
});

test('what the clock will do is said only where it is about to go on with it', () => {
  const splits = [{ watermark: 3, idle: true }];
  const told = (idle: boolean, whenIdle: 'wait' | 'clock') =>
    drawn({
      'end 0': { watermark: 3, idle, from: { 'in 0': idle ? ['idle', 3] : 3 } },
      'in 0': { watermark: 3, idle, splits, settings: { whenIdle } },
    })(50);
  assert.equal(told(false, 'clock')[0]!.clock, 51);
  // Another task of the source is not idle, or it has not been told yet that this one is.
  assert.deepEqual([names(told(true, 'clock')), told(true, 'clock')[0]!.clock], [['in s0'], undefined]);
  assert.deepEqual([names(told(false, 'wait')), told(false, 'wait')[0]!.clock], [['in 0'], undefined]);
});

test('idle sources do not hold a time that was reached before they fell idle', () => {
  const holders = drawn({
    'end 0': {
      received: 100,
      watermark: 10,
      idle: true,
      waits: [{ kind: 'generator' }],
      from: { 'in 0': ['idle', 5] },
    },
    'in 0': { watermark: 5, idle: true, splits: [{ watermark: 5, idle: true }] },
  })(50);
  assert.deepEqual(names(holders), ['end 0']);
});

test('a source that has ended and is not done holds by what is under way', () => {
  const waits: readonly Wait[] = [{ kind: 'ending', tuples: 2 }];
  const holders = drawn({
    'end 0': { watermark: 10, from: { 'in 0': 10 } },
    'in 0': { watermark: 10, waits, splits: [{ watermark: 99, ended: true }] },
  })(50);
  assert.deepEqual([names(holders), holders[0]!.waits], [['in 0'], waits]);
});
