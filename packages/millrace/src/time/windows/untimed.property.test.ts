/** Windows by count and global windows against their definition: failures of user code and crashes included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../aggregates/collect.ts';
import { aggregate } from '../aggregates/custom.ts';
import { max } from '../aggregates/extremes.ts';
import { countWindow, globalWindow } from './assigners.ts';
import { type Emitted, WindowStage } from './window-stage.fixture.ts';
import { windowed } from './windowed.ts';

const runs = Number(process.env.MILLRACE_RUNS ?? 200);

interface Value {
  readonly id: number;
  readonly time: number;
}

const actionsOf = fc.array(
  fc.record({
    do: fc.oneof(
      { weight: 12, arbitrary: fc.constant('value' as const) },
      { weight: 2, arbitrary: fc.constantFrom('clock' as const, 'crash' as const) },
    ),
    key: fc.constantFrom('a', 'a', 'a', 'b'),
    time: fc.integer({ min: -20, max: 20 }),
  }),
  { maxLength: 100, size: 'max' },
);
const faultsOf = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 6 });

function aggregatesOf(faults: readonly number[]) {
  let calls = 0;
  const pass = <V>(value: V): V => {
    if (faults.includes(calls++)) throw new Error('a fault of the user');
    return value;
  };
  return {
    ids: collect((v: Value) => pass(v.id)),
    max: max((v: Value) => pass(v.time)),
    own: aggregate<Value, { readonly n: number }, number>({
      create: () => pass({ n: 0 }),
      add: ({ n }) => pass({ n: n + 1 }),
      merge: (older, newer) => pass({ n: older.n + newer.n }),
      result: ({ n }) => pass(n),
    }),
  };
}

function expected(key: string, timing: string, values: readonly Value[]) {
  const times = values.map(({ time }) => time);
  return {
    key,
    start: Math.min(...times),
    end: Math.max(...times) + 1,
    timing,
    ids: [...values].sort((a, b) => a.time - b.time || a.id - b.id).map(({ id }) => id),
    max: Math.max(...times),
    own: values.length,
  };
}

const resultsOf = (emitted: readonly Emitted[], key: string) =>
  emitted.filter(({ value }) => (value as { key: string }).key === key).map(({ value }) => value);

test('a window by count comes with every slide-th value, and holds the last ones', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(sizes, actionsOf, faultsOf, ([a, b], actions, faults) => {
      const size = Math.max(a, b);
      const slide = Math.min(a, b);
      const stage = new WindowStage(windowed(countWindow(size, slide), aggregatesOf(faults)) as never);
      const values = new Map<string, Value[]>();
      for (const [id, { do: what, key, time }] of actions.entries()) {
        if (what !== 'value') stage.crash();
        else {
          stage.feed(key, { id, time }, time);
          values.set(key, [...(values.get(key) ?? []), { id, time }]);
        }
      }
      stage.advanceTo(Number.POSITIVE_INFINITY);
      for (const [key, all] of values) {
        const windows = [];
        for (let end = slide; end <= all.length; end += slide) {
          windows.push(expected(key, 'on time', all.slice(Math.max(0, end - size), end)));
        }
        assert.deepEqual(resultsOf(stage.emitted, key), windows);
      }
      for (const { value, time } of stage.emitted) assert.equal(time, (value as { end: number }).end - 1);
    }),
    { numRuns: runs },
  );
});

test('a key whose windows by count are all full keeps nothing', () => {
  const stage = new WindowStage(windowed(countWindow(3), aggregatesOf([])) as never);
  for (let id = 0; id < 6; id++) stage.feed('a', { id, time: id }, id);
  assert.equal(stage.size, 0);
});

test('a global window shows what it has at intervals, and at the end of the input', () => {
  const options = fc.record(
    { early: fc.integer({ min: 1, max: 5 }), mode: fc.constantFrom('accumulating' as const, 'discarding' as const) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(options, actionsOf, faultsOf, ({ early, mode }, actions, faults) => {
      const given = { ...(early === undefined ? {} : { early }), ...(mode === undefined ? {} : { mode }) };
      const stage = new WindowStage(windowed(globalWindow(), aggregatesOf(faults), given) as never);
      const keys = new Map<string, { all: Value[]; fresh: Value[]; shown: unknown[] }>();
      const show = (timing: string) => {
        for (const [key, one] of keys) {
          const values = mode === 'discarding' ? one.fresh : one.all;
          if (values.length > 0 && (timing === 'on time' || one.fresh.length > 0)) {
            one.shown.push(expected(key, timing, values));
          }
          one.fresh = [];
        }
      };
      for (const [id, { do: what, key, time }] of actions.entries()) {
        if (what === 'crash') stage.crash();
        else if (what === 'clock') {
          stage.clockTo(stage.now + 1);
          if (early !== undefined && stage.now % early === 0) show('early');
        } else {
          stage.feed(key, { id, time }, time);
          const one = keys.get(key) ?? { all: [], fresh: [], shown: [] };
          keys.set(key, one);
          one.all.push({ id, time });
          one.fresh.push({ id, time });
        }
      }
      stage.advanceTo(Number.POSITIVE_INFINITY);
      show('on time');
      for (const [key, { shown }] of keys) assert.deepEqual(resultsOf(stage.emitted, key), shown);
      assert.deepEqual([stage.size, stage.pending('event'), stage.pending('clock')], [0, 0, 0]);
    }),
    { numRuns: runs },
  );
});
