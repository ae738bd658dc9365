import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepFreeze } from '../engine/freeze.ts';
import { type } from '../topology/schema.ts';
import type { ListState, MapState, ReducingState, ValueState } from '../topology/state-spec.ts';
import { list, mapOf, reducing, value } from '../topology/state-spec.ts';
import { KeyedState } from './keyed-state.ts';

function stateOf(now = () => 0) {
  const specs = {
    all: list(type<number>()),
    totals: value<{ sum: number }>({ sum: 0 }),
    byName: mapOf(type<number>()),
    largest: reducing(0, (a: number, b: number) => Math.max(a, b)),
  };
  const state = new KeyedState({
    component: 'b',
    specs,
    timers: { expire: 'event', remind: 'clock' },
    freeze: deepFreeze,
    now,
  });
  type Handles = {
    all: ListState<number>;
    totals: ValueState<{ sum: number }>;
    byName: MapState<string, number>;
    largest: ReducingState<number, number>;
  };
  return { state, ...(state.handles as Handles), timers: state.timers };
}

test('a list that was handed out never changes, also when the step that appended to it is undone', () => {
  const { state, all } = stateOf();
  state.enter('k');
  all.append(1);
  state.commit();
  state.enter('k');
  all.append(2);
  const handed = all.get();
  state.undo();
  assert.deepEqual(handed, [1, 2]);
  state.enter('k');
  assert.deepEqual(all.get(), [1]);
  all.append(3);
  assert.deepEqual(all.get(), [1, 3]);
  assert.deepEqual(handed, [1, 2]);
});

test('what is stored, the first value and handed-out lists included, belongs to the engine (law 10)', () => {
  const { state, all, totals } = stateOf();
  state.enter('k');
  all.append(1);
  assert.throws(() => (all.get() as number[]).push(2), TypeError);
  assert.throws(() => {
    totals.get().sum = 1;
  }, TypeError);
});

test('a handle used after its step finds no key: it would change whatever came last', () => {
  for (const end of ['commit', 'undo'] as const) {
    const { state, totals, timers } = stateOf();
    state.enter('k');
    totals.set({ sum: 1 });
    state[end]();
    assert.throws(() => totals.set({ sum: 2 }), { code: 'MR_NO_KEY_HERE', message: /state\.totals/ });
    assert.throws(() => timers.expire!.set(5), { code: 'MR_NO_KEY_HERE', message: /timers\.expire/ });
  }
});

test('a step that is undone leaves maps, sums and timers as they were, in their order', () => {
  const { state, byName, largest, timers } = stateOf();
  state.enter('k');
  for (const name of ['a', 'b', 'c']) byName.set(name, 1);
  largest.add(5);
  timers.expire!.set(10);
  timers.expire!.set(20);
  state.commit();
  state.enter('k');
  byName.delete('a');
  byName.set('a', 2);
  byName.set('b', 2);
  byName.set('d', 2);
  largest.add(9);
  timers.expire!.clear(10);
  timers.expire!.set(5);
  state.undo();
  state.enter('k');
  assert.deepEqual(
    [...byName.entries()],
    [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ],
  );
  assert.equal(largest.get(), 5);
  state.commit();
  assert.equal(state.next('event'), 10);
  assert.equal(state.fire('event', 9), undefined);
  assert.equal(state.fire('event', 10)?.time, 10);
  state.undo();
  assert.equal(state.next('event'), 10);
  const { name, key } = state.fire('event', 10)!;
  assert.deepEqual([name, key], ['expire', 'k']);
  state.commit();
  assert.equal(state.next('event'), 20);
});

test('a key without state and timers is not kept', () => {
  const { state, byName, totals, timers } = stateOf();
  state.enter('k');
  byName.set('a', 1);
  totals.set({ sum: 1 });
  timers.remind!.set(1);
  state.undo();
  assert.equal(state.size, 0);
  state.enter('k');
  byName.set('a', 1);
  totals.set({ sum: 1 });
  timers.remind!.set(1);
  state.commit();
  state.enter('k');
  byName.delete('a');
  totals.clear();
  state.commit();
  assert.equal(state.size, 1);
  state.fire('clock', 1);
  state.commit();
  assert.equal(state.size, 0);
});
