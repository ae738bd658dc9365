/** Test support: saved keys that are restored when they are needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalKey, KEY_GROUPS, keyGroup } from '../../topology/key.ts';
import { type } from '../../topology/schema.ts';
import type { StateSpecs } from '../../topology/state-spec.ts';
import { list, value } from '../../topology/state-spec.ts';
import type { TimerSpecs } from '../../topology/timer-spec.ts';
import type { SavedKey } from '../keyed-store.ts';
import type { OpenStore } from './opened.ts';
import { opened, whole } from './opened.ts';

const groupOf = (key: string) => keyGroup(canonicalKey(key)!);
const KEYS = Array.from({ length: 60 }, (_, i) => `key ${i}`);

export function laterSuite(open: OpenStore): void {
  const specs = { count: value(0), seen: list(type<string>()) };
  /** What a store with all keys has saved, and then changed. */
  function saved() {
    const it = opened(open, { state: specs });
    for (const [i, key] of KEYS.entries()) it.step(key, () => it.state.count.set(i + 1));
    const all = it.store.snapshot('all');
    const keys = whole(all);
    it.step(KEYS[3]!, () => it.state.seen.append('again'));
    it.step(KEYS[5]!, () => it.state.count.clear());
    return { shapes: all.shapes, keys: [...keys, ...whole(it.store.snapshot('changes'))] };
  }
  /** A store that goes on from them, and the groups that were asked for. */
  function later(state: StateSpecs = specs, timers: TimerSpecs = {}) {
    const { shapes, keys } = saved();
    const it = opened(open, { state: state as typeof specs, timers });
    const asked: number[] = [];
    const keysOf = (group: number): Iterable<SavedKey> => {
      asked.push(group);
      return keys.filter((key) => key.group === group);
    };
    it.store.restoreLater(shapes, { from: 0, to: KEY_GROUPS, keysOf });
    return { ...it, asked };
  }

  test('a group is restored when a step needs one of its keys, once, and before anything is written', () => {
    const { step, state, store, asked } = later();
    assert.deepEqual([asked, store.size], [[], 0]);
    assert.equal(
      step(KEYS[7]!, () => state.count.get()),
      8,
    );
    step(KEYS[3]!, () => state.seen.append('once more'));
    assert.deepEqual(
      step(KEYS[3]!, () => [state.count.get(), [...state.seen.get()]]),
      [4, ['again', 'once more']],
    );
    assert.equal(
      step('new', () => state.count.get()),
      0,
    );
    assert.deepEqual(asked, [groupOf(KEYS[7]!), groupOf(KEYS[3]!), groupOf('new')]);
  });

  test('a step that fails leaves what was restored for it', () => {
    const { step, failed, state } = later();
    failed(KEYS[9]!, () => state.count.set(99));
    assert.equal(
      step(KEYS[9]!, () => state.count.get()),
      10,
    );
  });

  test('the others come in the background, and what was written meanwhile stays', () => {
    const { step, state, store, asked } = later();
    step(KEYS[0]!, () => state.count.set(100));
    while (store.load());
    assert.deepEqual([new Set(asked).size, asked.length, store.size], [KEY_GROUPS, KEY_GROUPS, KEYS.length - 1]);
    assert.deepEqual(store.read(KEYS[0]!)?.state.count, 100);
    assert.equal(store.load(), false);
  });

  test('who looks from outside finds everything', () => {
    assert.deepEqual(later().store.read(KEYS[20]!)?.state.count, 21);
    assert.deepEqual([later().store.has(KEYS[5]!), later().store.has(KEYS[6]!)], [false, true]);
    assert.equal([...later().store.keys()].length, KEYS.length - 1);
  });

  test('a snapshot of changes has what changed and asks for no more; one of all has all', () => {
    const changed = later();
    changed.step(KEYS[2]!, () => changed.state.count.set(1000));
    assert.deepEqual(
      whole(changed.store.snapshot('changes')).map(({ key }) => key),
      [KEYS[2]],
    );
    assert.equal(changed.asked.length, 1);
    assert.equal(whole(later().store.snapshot('all')).length, KEYS.length - 1);
  });

  test('where timers, times to live or migrations would wait with them, all is restored at once', () => {
    const ttl = { ...specs, count: value(0, { ttl: '1h' }) };
    const migrated = { ...specs, count: value(0, { version: 2, migrate: (n: number) => n }) };
    for (const it of [later(ttl), later(migrated), later(specs, { due: 'event' })]) {
      assert.equal(it.store.size, KEYS.length - 1);
    }
  });
}
