import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepFreeze } from '../engine/freeze.ts';
import { type } from '../topology/schema.ts';
import type { ListState, ValueState } from '../topology/state-spec.ts';
import { list, value } from '../topology/state-spec.ts';
import { VolatileState } from './volatile.ts';

function stateOf() {
  const specs = { all: list(type<number>()), totals: value<{ sum: number }>({ sum: 0 }) };
  const state = new VolatileState('b', specs, deepFreeze);
  return { state, ...(state.handles as { all: ListState<number>; totals: ValueState<{ sum: number }> }) };
}

test('a list that was handed out never changes, also when the step that appended to it is undone', () => {
  const { state, all } = stateOf();
  state.key = 'k';
  all.append(1);
  state.commit();
  state.key = 'k';
  all.append(2);
  const handed = all.get();
  state.undo();
  assert.deepEqual(handed, [1, 2]);
  state.key = 'k';
  assert.deepEqual(all.get(), [1]);
  all.append(3);
  assert.deepEqual(all.get(), [1, 3]);
  assert.deepEqual(handed, [1, 2]);
});

test('what is stored, the first value and handed-out lists included, belongs to the engine (law 10)', () => {
  const { state, all, totals } = stateOf();
  state.key = 'k';
  all.append(1);
  assert.throws(() => (all.get() as number[]).push(2), TypeError);
  assert.throws(() => {
    totals.get().sum = 1;
  }, TypeError);
});

test('a handle used after its step finds no key: it would change whatever came last', () => {
  for (const end of ['commit', 'undo'] as const) {
    const { state, totals } = stateOf();
    state.key = 'k';
    totals.set({ sum: 1 });
    state[end]();
    assert.throws(() => totals.set({ sum: 2 }), { code: 'MR_NO_KEY_HERE' });
  }
});
