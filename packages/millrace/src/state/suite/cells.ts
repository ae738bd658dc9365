/** Test support: the laws of values, lists, maps and sums, and of steps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Key } from '../../topology/key.ts';
import { type } from '../../topology/schema.ts';
import { list, mapOf, owned, reducing, value } from '../../topology/state-spec.ts';
import type { Freeze, OpenStore } from './opened.ts';
import { opened } from './opened.ts';

const all = list(type<number>());
const byName = mapOf<number>(type<number>());
const total = value<{ sum: number }>({ sum: 0 });

export function cellsSuite(open: OpenStore, deepFreeze: Freeze): void {
  test('a value is what was set last, its initial one before and after; undefined is a value', () => {
    const { state, step, store } = opened(open, { state: { last: value<string | undefined>('none') } });
    step('k', () => assert.equal(state.last.get(), 'none'));
    step('k', () => state.last.set('a'));
    step('other', () => assert.equal(state.last.get(), 'none'));
    step('k', () => {
      assert.equal(state.last.get(), 'a');
      state.last.set(undefined);
      assert.equal(state.last.get(), undefined);
    });
    step('k', () => assert.equal(state.last.get(), undefined));
    assert.equal(store.size, 1);
    step('k', () => state.last.clear());
    step('k', () => assert.equal(state.last.get(), 'none'));
    assert.equal(store.size, 0);
  });

  test('a sum takes in values, from its initial one on', () => {
    const { state, step } = opened(open, {
      state: { largest: reducing(Number.NEGATIVE_INFINITY, (a: number, b: number) => Math.max(a, b)) },
    });
    step('k', () => {
      for (const n of [3, 9, 4]) state.largest.add(n);
    });
    step('k', () => assert.equal(state.largest.get(), 9));
    step('k', () => state.largest.clear());
    step('k', () => assert.equal(state.largest.get(), Number.NEGATIVE_INFINITY));
  });

  test('a list that was handed out never changes, also when the step that appended to it is undone', () => {
    for (const freeze of [deepFreeze, undefined]) {
      const { store, state, step } = opened(open, { state: { all }, ...(freeze && { freeze }) });
      step('k', () => state.all.append(1));
      store.enter('k');
      state.all.append(2);
      const handed = state.all.get();
      store.undo();
      assert.deepEqual(handed, [1, 2]);
      step('k', () => {
        assert.deepEqual(state.all.get(), [1]);
        state.all.append(3);
        assert.deepEqual(state.all.get(), [1, 3]);
      });
      assert.deepEqual(handed, [1, 2]);
      const values = [5];
      step('k', () => state.all.set(values));
      step('k', () => state.all.append(6));
      assert.deepEqual(values, [5]);
    }
  });

  test('a map keeps the order in which its entries were first set, also when a deletion is undone', () => {
    const { state, step, failed } = opened(open, { state: { byName } });
    const entries = () => step('k', () => [...state.byName.entries()]);
    step('k', () => {
      for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) state.byName.set(name, i);
    });
    step('k', () => state.byName.set('b', 9));
    failed('k', () => {
      state.byName.delete('c');
      state.byName.delete('a');
      state.byName.set('e', 5);
      state.byName.set('a', 7);
      state.byName.set('b', 8);
      assert.deepEqual([...state.byName.keys()], ['b', 'd', 'e', 'a']);
    });
    assert.deepEqual(entries(), Object.entries({ a: 0, b: 9, c: 2, d: 3 }));
    failed('k', () => state.byName.clear());
    failed('k', () => {
      for (const name of ['a', 'b', 'c', 'd']) state.byName.delete(name);
      state.byName.set('c', 1);
    });
    assert.deepEqual(entries(), Object.entries({ a: 0, b: 9, c: 2, d: 3 }));
    step('k', () => {
      state.byName.delete('a');
      state.byName.set('a', 1);
      assert.equal(state.byName.size, 4);
      assert.equal(state.byName.has('nobody'), false);
      assert.equal(state.byName.get('nobody'), undefined);
    });
    assert.deepEqual(entries(), Object.entries({ b: 9, c: 2, d: 3, a: 1 }));
  });

  test('entries of a map are read one by one, and only in their step', () => {
    const { state, step } = opened(open, { state: { byName } });
    step('k', () => {
      for (const [i, name] of ['a', 'b'].entries()) state.byName.set(name, i);
    });
    const kept = step('k', () => state.byName.entries()[Symbol.iterator]());
    assert.throws(() => kept.next(), { code: 'MR_NO_KEY_HERE' });
    const begun = step('k', () => {
      const names = state.byName.keys()[Symbol.iterator]();
      assert.equal(names.next().value, 'a');
      return names;
    });
    step('other', () => assert.throws(() => begun.next(), { code: 'MR_NO_KEY_HERE' }));
    step('k', () => assert.throws(() => state.byName.set(undefined as never, 1), { code: 'MR_STATE_VALUE' }));
  });

  test('a failed step leaves no trace, however much it wrote (law 1)', () => {
    const { store, state, step, failed, timers } = opened(open, {
      state: { all, byName, total, n: reducing(0, (a: number, b: number) => a + b) },
      timers: { expire: 'event' },
    });
    const writes = () => {
      for (let i = 0; i < 1_000; i++) {
        state.all.append(i);
        state.byName.set(`${i % 7}`, i);
        if (i % 3 === 0) state.byName.delete(`${i % 5}`);
        state.total.set({ sum: i });
        state.n.add(i);
        timers.expire.set(i % 50);
        timers.expire.clear(i % 20);
      }
      state.all.set([1]);
      state.total.clear();
    };
    failed('new', writes);
    assert.equal(store.size, 0);
    assert.equal(store.next('event'), Number.POSITIVE_INFINITY);
    step('k', writes);
    const before = store.read('k');
    failed('k', writes);
    failed('k', () => {
      state.all.clear();
      state.byName.clear();
      writes();
    });
    assert.deepEqual(store.read('k'), before);
    assert.equal(store.size, 1);
  });

  test('a key that holds nothing any more is not kept', () => {
    const { store, state, step, failed, timers } = opened(open, {
      state: { all, byName, total },
      timers: { remind: 'clock' },
    });
    const fill = () => {
      state.all.append(1);
      state.byName.set('a', 1);
      state.total.set({ sum: 1 });
      timers.remind.set(1);
    };
    const empty = () => {
      state.all.set([]);
      state.byName.delete('a');
      state.total.clear();
      timers.remind.clear(1);
    };
    step('k', fill);
    failed('k', empty);
    assert.equal(store.size, 1);
    step('k', empty);
    assert.equal(store.size, 0);
    step('k', () => {
      fill();
      empty();
      state.all.clear();
    });
    step('k', () => assert.deepEqual([state.all.get(), state.byName.size], [[], 0]));
    assert.deepEqual([store.size, [...store.keys()], store.read('k'), store.has('k')], [0, [], undefined, false]);
    step('k', fill);
    step('k', () => {
      state.all.clear();
      state.byName.clear();
      state.total.clear();
    });
    assert.equal(store.size, 1);
    store.fire('clock', 1);
    store.commit();
    assert.equal(store.size, 0);
  });

  test('equal keys have one state, others their own', () => {
    const { store, state, step } = opened(open, { state: { total } });
    const keys: Key[] = [0, '0', '', [], [0], ['0'], [[0]], true, 1n, 1, ['a', 'b'], ['a,b']];
    for (const [i, key] of keys.entries()) step(key, () => state.total.set({ sum: i }));
    step(-0, () => assert.deepEqual(state.total.get(), { sum: 0 }));
    step([-0], () => assert.deepEqual(state.total.get(), { sum: 4 }));
    assert.equal(store.size, keys.length);
    assert.deepEqual([...store.keys()], keys);
  });

  test('a handle used where there is no key is refused: it would change whatever came last', () => {
    const { store, state, step, timers } = opened(open, {
      state: { all, byName, total },
      timers: { expire: 'event' },
    });
    const uses: [what: string, use: () => void][] = [
      ['state.total', () => state.total.set({ sum: 2 })],
      ['state.total', () => state.total.get()],
      ['state.all', () => state.all.get()],
      ['state.byName', () => state.byName.keys()],
      ['timers.expire', () => timers.expire.set(5)],
      ['timers.expire', () => timers.expire.clear(5)],
    ];
    const refused = () => {
      for (const [what, use] of uses) {
        assert.throws(use, ({ code, message }) => code === 'MR_NO_KEY_HERE' && message.includes(`used ${what} `));
      }
    };
    refused();
    step('k', () => state.total.set({ sum: 1 }));
    refused();
    store.enter('k');
    state.total.set({ sum: 3 });
    store.undo();
    refused();
    store.enter(undefined);
    refused();
    store.commit();
    assert.deepEqual(store.read('k')?.state.total, { sum: 1 });
  });

  test('what is stored, the first value and handed-out lists included, belongs to the engine (law 10)', () => {
    const { state, step } = opened(open, {
      state: { total, all, byName: mapOf(type<{ n: number }>()), sums: reducing({ n: 0 }, (_, b: { n: number }) => b) },
      freeze: deepFreeze,
    });
    const mine = { n: 1 };
    step('k', () => {
      state.byName.set('a', mine);
      state.sums.add(mine);
      state.all.append(1);
    });
    for (const change of [
      () => (mine.n = 2),
      () => step('k', () => (state.total.get().sum = 1)),
      () => step('k', () => (state.byName.get('a')!.n = 1)),
      () => step('k', () => (state.all.get() as number[]).push(2)),
    ]) {
      assert.throws(change, TypeError);
    }
  });

  test('an operator that owns its values may change them in place', () => {
    const { state, step } = opened(open, {
      state: { sums: owned(value<{ n: number } | undefined>(undefined)), lists: owned(list(type<{ n: number }>())) },
      freeze: deepFreeze,
    });
    for (const n of [1, 2]) {
      step('k', () => {
        const sum = state.sums.get() ?? { n: 0 };
        state.sums.set(sum);
        sum.n += n;
        state.lists.append({ n });
      });
    }
    step('k', () => assert.deepEqual([state.sums.get(), state.lists.get()], [{ n: 3 }, [{ n: 1 }, { n: 2 }]]));
  });

  test('what a checkpoint could not give back is refused with the path to it: in tests when it is set', () => {
    class Sum {
      n = 0;
    }
    const nested = (bad: unknown) => ({ deep: [1, { bad }] });
    const { state, step } = opened(open, {
      state: { any: value<unknown>(0), many: list(type<unknown>()), map: mapOf(type<unknown>()) },
      freeze: deepFreeze,
    });
    for (const [bad, is] of [
      [() => 1, 'the function'],
      [Symbol('s'), 'the symbol Symbol(s)'],
      [new Sum(), 'an instance of Sum'],
      [new WeakMap(), 'an instance of WeakMap'],
      [Promise.resolve(), 'an instance of Promise'],
    ] as const) {
      for (const [what, set] of [
        ['state.any', () => state.any.set(nested(bad))],
        ['state.many', () => state.many.append(nested(bad))],
        ['state.many', () => state.many.set([nested(bad)])],
        ['state.map', () => state.map.set('a', nested(bad))],
      ] as const) {
        const text = `'b' cannot keep this in ${what}: value.deep[1].bad is ${is}`;
        step('k', () =>
          assert.throws(set, ({ code, message }) => code === 'MR_STATE_VALUE' && message.startsWith(text)),
        );
      }
    }
    const good = {
      d: new Date(0),
      m: new Map([[1, new Set([1n])]]),
      b: new Uint8Array(1),
      n: null,
      u: undefined,
      r: /x/,
    };
    step('k', () => state.any.set(good));
    step('k', () => assert.deepEqual(state.any.get(), good));
  });

  test('what cannot be kept at all is refused elsewhere, too', () => {
    const { store, state, step } = opened(open, { state: { any: value<unknown>(0) } });
    step('k', () => assert.throws(() => state.any.set(() => 1), { code: 'MR_STATE_VALUE' }));
    step('k', () => assert.throws(() => state.any.set(Symbol('s')), { code: 'MR_STATE_VALUE' }));
    assert.equal(store.size, 0);
  });
}
