/** The windows of a stream against a naive model: any order, late values, equal times, edges, failures and crashes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../aggregates/collect.ts';
import { count } from '../aggregates/count.ts';
import { aggregate } from '../aggregates/custom.ts';
import { max } from '../aggregates/extremes.ts';
import { sum } from '../aggregates/sum.ts';
import type { WindowAssigner } from './assigners.ts';
import { session, sliding, tumbling } from './assigners.ts';
import type { FiringRules } from './operator.ts';
import { type ModelValue, type ModelWindows, type Shown, WindowModel } from './window-model.fixture.ts';
import { type Emitted, WindowStage } from './window-stage.fixture.ts';
import { type WindowedOptions, windowed } from './windowed.ts';

const runs = Number(process.env.MILLRACE_RUNS ?? 400);

type Action =
  | { readonly do: 'value'; readonly key: string; readonly time: number; readonly gap: number }
  | { readonly do: 'watermark'; readonly behind: number }
  | { readonly do: 'clock'; readonly by: number }
  | { readonly do: 'crash' };

/** User code that throws at these of its calls, counted from 0. */
class Fuse {
  readonly #at: ReadonlySet<number>;
  #calls = 0;
  constructor(at: readonly number[]) {
    this.#at = new Set(at);
  }
  pass<V>(value: V): V {
    if (this.#at.has(this.#calls++)) throw new Error('a fault of the user');
    return value;
  }
}

/** Several kinds of accumulators: sums that can be taken apart, two stacks, and the user's own. */
function aggregatesOf(fuse: Fuse) {
  return {
    ids: collect((v: ModelValue) => fuse.pass(v.id)),
    n: count(),
    sum: sum((v: ModelValue) => fuse.pass(v.id)),
    max: max((v: ModelValue) => v.id),
    own: aggregate<ModelValue, { readonly ids: readonly number[] }, number>({
      create: () => fuse.pass({ ids: [] }),
      add: ({ ids }, v) => fuse.pass({ ids: [...ids, v.id] }),
      merge: (older, newer) => fuse.pass({ ids: [...older.ids, ...newer.ids] }),
      result: ({ ids }) => fuse.pass(ids.length),
    }),
  };
}

const expected = (key: string, { start, end, timing, ids }: Shown) => ({
  key,
  start,
  end,
  timing,
  ids,
  n: ids.length,
  sum: ids.reduce((a, b) => a + b, 0),
  max: Math.max(...ids),
  own: ids.length,
});

interface Setting {
  readonly assigner: WindowAssigner<ModelValue>;
  readonly model: ModelWindows;
  readonly options: WindowedOptions;
  readonly rules: FiringRules;
}

/** Results by key, in their order; those of late values apart. */
function byKey(emitted: readonly Emitted[]): { results: Map<string, unknown[]>; late: Map<string, number[]> } {
  const results = new Map<string, unknown[]>();
  const late = new Map<string, number[]>();
  for (const { stream, value, time } of emitted) {
    if (stream === 'late') continue;
    const result = value as { key: string; end: number };
    assert.equal(time, result.end - 1, 'the time of a result is the last of its window');
    results.set(result.key, [...(results.get(result.key) ?? []), result]);
  }
  return { results, late };
}

function check(
  { assigner, model, options, rules }: Setting,
  actions: readonly Action[],
  faults: readonly number[],
): void {
  const stage = new WindowStage(windowed(assigner, aggregatesOf(new Fuse(faults)), options as never) as never);
  const models = new Map<string, WindowModel>();
  const modelOf = (key: string) => {
    if (!models.has(key)) models.set(key, new WindowModel(model, rules));
    return models.get(key)!;
  };
  let newest = 0;
  for (const [id, action] of actions.entries()) {
    if (action.do === 'crash') stage.crash();
    else if (action.do === 'clock') clock(stage, models, rules, stage.now + action.by);
    else if (action.do === 'watermark') {
      stage.advanceTo(newest - action.behind);
      if (!rules.byClock) for (const one of models.values()) one.advance(stage.watermark);
    } else {
      const time = rules.byClock ? stage.now : action.time;
      newest = Math.max(newest, action.time);
      const value = { id, time, gap: action.gap };
      stage.feed(action.key, value, action.time);
      modelOf(action.key).add(value, rules.byClock ? Number.NEGATIVE_INFINITY : stage.watermark);
    }
  }
  stage.advanceTo(Number.POSITIVE_INFINITY);
  for (const one of models.values()) one.advance(Number.POSITIVE_INFINITY);

  const { results } = byKey(stage.emitted);
  for (const [key, one] of models) {
    assert.deepEqual(
      results.get(key) ?? [],
      one.shown.map((shown) => expected(key, shown)),
    );
  }
  const late = stage.emitted.flatMap(({ stream, value }) => (stream === 'late' ? [(value as ModelValue).id] : []));
  const modelLate = [...models.values()].flatMap(({ late }) => late).sort((a, b) => a - b);
  if (options.late) assert.deepEqual(late, modelLate);
  else assert.equal(stage.rejected.length, modelLate.length);
  assert.deepEqual(
    [stage.size, stage.pending('event'), stage.pending('clock')],
    [0, 0, 0],
    'nothing is left of any key',
  );
}

/** Lets the clock go on, moment by moment: early results, and windows by the clock. */
function clock(stage: WindowStage, models: ReadonlyMap<string, WindowModel>, rules: FiringRules, to: number): void {
  for (let now = stage.now + 1; now <= to; now++) {
    stage.clockTo(now);
    for (const one of models.values()) {
      if (rules.early !== undefined && now % rules.early === 0) one.early();
      if (rules.byClock) one.advance(now);
    }
  }
}

const actionsOf = (range: number): fc.Arbitrary<Action[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          do: fc.constant('value' as const),
          key: fc.constantFrom('a', 'a', 'a', 'b', 'c'),
          time: fc.integer({ min: -range, max: range }),
          gap: fc.integer({ min: 1, max: 6 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('watermark' as const), behind: fc.integer({ min: 0, max: range }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('clock' as const), by: fc.integer({ min: 0, max: 6 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
    ),
    { maxLength: 80, size: 'max' },
  );
const faultsOf = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 6 });

const eventOptions = fc.record(
  {
    lateness: fc.integer({ min: 0, max: 20 }),
    early: fc.integer({ min: 1, max: 7 }),
    mode: fc.constantFrom('accumulating' as const, 'discarding' as const),
    late: fc.boolean(),
  },
  { requiredKeys: [] },
);

const rulesOf = ({ lateness = 0, early, mode }: WindowedOptions, byClock = false): FiringRules => ({
  byClock,
  lateness: lateness as number,
  early: early as number | undefined,
  discarding: mode === 'discarding',
});

const grids = fc
  .record({
    size: fc.integer({ min: 1, max: 40 }),
    slide: fc.integer({ min: 1, max: 40 }),
    offset: fc.integer({ min: -9, max: 9 }),
  })
  .map(({ size, slide, offset }) => ({ size: Math.max(size, slide), slide: Math.min(size, slide), offset }));

function property(setting: fc.Arbitrary<Setting>, range: number): void {
  fc.assert(
    fc.property(setting, actionsOf(range), faultsOf, (one, actions, faults) => check(one, actions, faults)),
    { numRuns: runs },
  );
}

test('tumbling windows by event time are those of the model', () => {
  const setting = fc.tuple(grids, eventOptions).map(
    ([{ size, offset }, options]): Setting => ({
      assigner: tumbling(size, { offset }),
      model: { kind: 'time', size, slide: size, offset },
      options,
      rules: rulesOf(options),
    }),
  );
  property(setting, 50);
});

test('sliding windows by event time are those of the model', () => {
  const setting = fc.tuple(grids, eventOptions).map(
    ([{ size, slide, offset }, options]): Setting => ({
      assigner: sliding(size, slide, { offset }),
      model: { kind: 'time', size, slide, offset },
      options,
      rules: rulesOf(options),
    }),
  );
  property(setting, 50);
});

test('sessions by event time are those of the model', () => {
  const setting = fc.tuple(fc.option(fc.integer({ min: 1, max: 6 })), eventOptions).map(
    ([fixed, options]): Setting => ({
      assigner: fixed === null ? session((v: ModelValue) => v.gap) : session<ModelValue>(fixed),
      model: fixed === null ? { kind: 'session' } : { kind: 'session', gap: fixed },
      options,
      rules: rulesOf(options),
    }),
  );
  property(setting, 40);
});

test('windows and sessions by the clock are those of the model', () => {
  // Early results and ends of windows never come at the same moment here: either order would be right.
  const early = fc.record({ early: fc.constant(3), mode: eventOptions.map(({ mode }) => mode ?? 'accumulating') });
  const timed = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.oneof(early, fc.constant({})))
    .map(([a, b, options]): Setting => {
      const size = 3 * Math.max(a, b);
      const slide = 3 * Math.min(a, b);
      return {
        assigner: sliding(size, slide, { offset: 1, by: 'clock' }),
        model: { kind: 'time', size, slide, offset: 1 },
        options,
        rules: rulesOf(options, true),
      };
    });
  const sessions = fc.constant<Setting>({
    assigner: session((v: ModelValue) => v.gap, { by: 'clock' }),
    model: { kind: 'session' },
    options: {},
    rules: rulesOf({}, true),
  });
  property(fc.oneof(timed, sessions), 40);
});
