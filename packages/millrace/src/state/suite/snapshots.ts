/** Test support: the laws of snapshots (laws 4 and 6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Key } from '../../topology/key.ts';
import { canonicalKey, keyGroup } from '../../topology/key.ts';
import { type } from '../../topology/schema.ts';
import { list, mapOf, owned, reducing, value } from '../../topology/state-spec.ts';
import type { SavedKey, StateSnapshot } from '../keyed-store.ts';
import type { Freeze, OpenStore } from './opened.ts';
import { opened, whole } from './opened.ts';

const state = {
  n: value(0),
  sum: reducing(0, (a: number, b: number) => a + b),
  all: list(type<number>()),
  map: mapOf<number>(type<number>()),
  mine: owned(value<{ n: number } | undefined>(undefined)),
};
const timers = { expire: 'event' } as const;

export function snapshotsSuite(open: OpenStore, deepFreeze: Freeze): void {
  /** A store that was restored from what was saved. */
  const from = (snapshot: StateSnapshot, ...saved: (readonly SavedKey[])[]) => {
    const it = opened(open, { state, timers });
    it.store.restore(snapshot.shapes, saved.flat());
    return it;
  };
  const filled = (keys: number) => {
    const it = opened(open, { state, timers });
    const write = (key: Key, n: number) => {
      it.state.n.set(n);
      it.state.sum.add(n);
      it.state.all.append(n);
      it.state.map.set(`${n}`, n);
      const mine = it.state.mine.get() ?? { n: 0 };
      it.state.mine.set(mine);
      mine.n += n;
      it.timers.expire.set(1_000 + n);
      return key;
    };
    for (let i = 0; i < keys; i++) it.step(i, () => write(i, 1));
    return { ...it, write };
  };
  const contents = (store: ReturnType<OpenStore>) => new Map([...store.keys()].map((key) => [key, store.read(key)]));

  test('a restored store is what was saved, in all its states and timers', () => {
    const { store, step, write } = filled(50);
    for (const key of ['text', '', ['a', 1], [], true, 5n, -0.5] as const) step(key, () => write(key, 2));
    const snapshot = store.snapshot('all');
    const again = from(snapshot, whole(snapshot));
    assert.deepEqual(contents(again.store), contents(store));
    assert.equal(again.store.size, store.size);
    again.step(0, () => {
      again.state.all.append(7);
      again.state.map.set('1', 5);
    });
    assert.deepEqual(again.store.read(0)?.state.all, [1, 7]);
    again.store.fire('event', 2_000);
    again.store.commit();
    assert.deepEqual(again.store.read(0)?.timers, []);
  });

  test('a snapshot has what there was when it began, while every key is written to, told, or goes', () => {
    const { store, state, step, write, timers } = filled(100);
    const before = contents(store);
    const snapshot = store.snapshot('all');
    const saved: SavedKey[] = [];
    for (let i = 0; !snapshot.done; i++) {
      if (i < 100) {
        if (i % 4 === 0) step(i, () => write(i, 2));
        else if (i % 4 === 1) {
          step(i, () => {
            for (const cell of [state.n, state.sum, state.all, state.map, state.mine]) cell.clear();
            timers.expire.clear(1_001);
          });
        } else if (i % 4 === 2) {
          store.fire('event', 2_000);
          store.commit();
        }
        store.enter(i);
        write(i, 3);
        store.undo();
      }
      step(`new ${i}`, () => write(`new ${i}`, 9));
      saved.push(...snapshot.advance(3));
    }
    assert.ok(contents(store).size > 100);
    assert.deepEqual(new Set(saved.map(({ key }) => key)).size, saved.length);
    assert.deepEqual([...contents(from(snapshot, saved).store)].sort(byKey), [...before].sort(byKey));
  });

  test('keys come by key group, from 0 up, each with its own', () => {
    const { store, step, write } = filled(300);
    const snapshot = store.snapshot('all');
    const saved = [...snapshot.advance(320)];
    for (let i = 0; i < 300; i += 3) step(i, () => write(i, 2));
    saved.push(...whole(snapshot));
    assert.equal(saved.length, 300);
    for (const [i, { group, key }] of saved.entries()) {
      assert.equal(group, keyGroup(canonicalKey(key)!));
      assert.ok(i === 0 || group >= saved[i - 1]!.group);
    }
  });

  test('a slice is as small as it is asked to be', () => {
    const { store } = filled(100);
    const snapshot = store.snapshot('all');
    let slices = 0;
    while (!snapshot.done) {
      assert.ok(snapshot.advance(5).length <= 5);
      slices++;
    }
    assert.ok(slices >= 20);
  });

  test('the changes since the last snapshot are the keys that were written to, told, or went, and no others', () => {
    const { store, state, step, write, failed, timers } = filled(20);
    const all = whole(store.snapshot('all'));
    step(1, () => write(1, 2));
    store.fire('event', 1_001);
    store.commit();
    step(2, () => {
      for (const cell of [state.n, state.sum, state.all, state.map, state.mine]) cell.clear();
      timers.expire.clear(1_001);
    });
    step(3, () => state.n.get());
    failed(4, () => write(4, 5));
    step('new', () => write('new', 1));
    step('brief', () => write('brief', 1));
    const snapshot = store.snapshot('changes');
    step(5, () => write(5, 2));
    const changes = whole(snapshot);
    const named = new Map(changes.map(({ key, data }) => [key, data]));
    for (const key of [0, 1, 'new']) assert.ok(named.get(key), `${key} changed`);
    assert.ok(named.has(2) && named.get(2) === undefined);
    for (const key of [3, 5, 6]) assert.equal(named.has(key), false, `${key} did not change`);
    const more = store.snapshot('changes');
    assert.deepEqual(
      whole(more).map(({ key }) => key),
      [5],
    );
    assert.deepEqual([snapshot.what, more.what], ['changes', 'changes']);
    const again = from(more, all, changes, []);
    assert.equal(again.store.read(5)?.state.n, 1);
    again.store.restore(more.shapes, [changes.find(({ key }) => key === 1)!]);
    assert.deepEqual(again.store.read(1), store.read(1));
    assert.equal(again.store.has(2), false);
  });

  test('each chain of changes leads to what there was, whatever was written meanwhile', () => {
    const { store, step, write, state, timers } = filled(30);
    let snapshot = store.snapshot('changes');
    assert.equal(snapshot.what, 'all');
    const saved = [whole(snapshot)];
    for (let round = 1; round < 8; round++) {
      for (let i = round; i < 30; i += round) step(i, () => write(i, round));
      for (let i = 0; i < 30; i += 5)
        step(i, () => {
          state.all.clear();
          state.n.clear();
          timers.expire.clear(1_001);
        });
      const before = contents(store);
      snapshot = store.snapshot('changes');
      const slices: SavedKey[] = [];
      for (let i = 0; !snapshot.done; i++) {
        step(i % 30, () => write(i, 100 + round));
        slices.push(...snapshot.advance(4));
      }
      saved.push(slices);
      assert.deepEqual([...contents(from(snapshot, ...saved).store)].sort(byKey), [...before].sort(byKey));
    }
  });

  test('a key that is restored twice is there once, and so are its timers', () => {
    const { store, step, write, told } = filled(5);
    const first = store.snapshot('all');
    const saved = [whole(first)];
    for (const key of [1, 3]) step(key, () => write(key, 7));
    saved.push(whole(store.snapshot('changes')));
    const expected = told('event', 2_000);
    assert.equal(expected.length, 7);
    const once = from(first, ...saved);
    assert.equal(once.store.pending('event'), 7);
    assert.deepEqual(once.told('event', 2_000), expected);
    const again = from(first, saved[0]!);
    again.store.restore(first.shapes, saved[1]!);
    assert.deepEqual(again.told('event', 2_000).sort(), expected.sort());
  });

  test('changes after a restart are changes to what was restored', () => {
    const { store } = filled(5);
    const first = store.snapshot('all');
    const again = from(first, whole(first));
    again.step(2, () => again.state.n.set(9));
    const snapshot = again.store.snapshot('changes');
    assert.deepEqual([snapshot.what, whole(snapshot).map(({ key }) => key)], ['changes', [2]]);
  });

  test('a snapshot that is abandoned takes no change with it', () => {
    const { store, step, write, state, timers } = filled(10);
    const all = store.snapshot('all');
    all.advance(5);
    assert.throws(() => store.snapshot('all'));
    all.abandon();
    const first = store.snapshot('changes');
    assert.equal(first.what, 'all');
    const saved = whole(first);
    assert.equal(saved.length, 10);
    for (const key of [1, 3]) step(key, () => write(key, 2));
    const lost = store.snapshot('changes');
    lost.advance(1);
    step(2, () => write(2, 2));
    step(1, () => write(1, 3));
    step(3, () => {
      for (const cell of [state.n, state.sum, state.all, state.map, state.mine]) cell.clear();
      for (const time of [1_001, 1_002]) timers.expire.clear(time);
    });
    assert.equal(store.has(3), false);
    step(3, () => write(3, 9));
    lost.abandon();
    assert.deepEqual(lost.advance(100), []);
    const changes = store.snapshot('changes');
    assert.equal(changes.what, 'changes');
    const keys = whole(changes);
    assert.deepEqual(keys.map(({ key }) => key).sort(), [1, 2, 3]);
    assert.deepEqual(contents(from(changes, saved, keys).store), contents(store));
  });

  test('key groups may go to several stores, and come together again', () => {
    const { store, told } = filled(500);
    const snapshot = store.snapshot('all');
    const saved = whole(snapshot);
    const parts = [0, 1, 2].map((part) =>
      from(
        snapshot,
        saved.filter(({ group }) => (group * 3) >> 8 === part),
      ),
    );
    assert.equal(
      parts.reduce((sum, part) => sum + part.store.size, 0),
      500,
    );
    for (const part of parts) assert.ok(part.store.size > 100);
    const merged = opened(open, { state, timers });
    for (const part of parts) {
      const one = part.store.snapshot('all');
      merged.store.restore(one.shapes, whole(one));
    }
    assert.deepEqual([...contents(merged.store)].sort(byKey), [...contents(store)].sort(byKey));
    assert.deepEqual(merged.told('event', 2_000).sort(), told('event', 2_000).sort());
  });

  test('what has expired is in no snapshot, and goes from one that had it', () => {
    const clock = { now: 0 };
    const specs = { n: value(0, { ttl: 100 }), all: list(type<number>(), { ttl: 100 }) };
    const { store, state, step, swept } = opened(open, { state: specs, clock });
    step('a', () => state.n.set(1));
    step('b', () => {
      state.n.set(1);
      state.all.append(1);
    });
    whole(store.snapshot('all'));
    clock.now = 50;
    step('b', () => state.all.append(2));
    clock.now = 120;
    assert.deepEqual(
      whole(store.snapshot('all')).map(({ key }) => key),
      ['b'],
    );
    assert.deepEqual(store.read('b')?.state, { n: 0, all: [2] });
    const running = store.snapshot('changes');
    clock.now = 1_000;
    swept();
    whole(running);
    const changes = new Map(whole(store.snapshot('changes')).map(({ key, data }) => [key, data]));
    assert.deepEqual(
      changes,
      new Map([
        ['a', undefined],
        ['b', undefined],
      ]),
    );
  });

  test('a value that cannot be written fails the snapshot, not the step that was going on, and is named', () => {
    for (const isEarly of [false, true]) {
      const { store, state, step } = opened(open, { state: { any: value<unknown>(0) } });
      step('k', () => state.any.set({ a: [() => 1] }));
      const snapshot = store.snapshot('all');
      if (isEarly) step('k', () => state.any.set(1));
      const message = `'b' cannot keep this in state.any of key "k": value.a[0] is the function (anonymous)`;
      assert.throws(
        () => whole(snapshot),
        (error: Error & { code?: string }) => {
          return error.code === 'MR_STATE_VALUE' && error.message.startsWith(message);
        },
      );
      snapshot.abandon();
    }
  });

  test('who looks from outside gets data of their own, and disturbs nothing', () => {
    const { store, state, step, timers } = opened(open, {
      state: { n: value({ a: 1 }), all: list(type<{ n: number }>()), map: mapOf(type<number>()) },
      timers: { b: 'event', a: 'clock' },
      freeze: deepFreeze,
    });
    assert.equal(store.read('k'), undefined);
    step('k', () => {
      state.all.append({ n: 1 });
      for (const [timer, time] of [
        [timers.b, 5],
        [timers.a, 9],
        [timers.a, 5],
      ] as const)
        timer.set(time);
    });
    const seen = store.read('k')!;
    assert.deepEqual(seen.state, { n: { a: 1 }, all: [{ n: 1 }], map: new Map() });
    assert.deepEqual(
      seen.timers.map(({ name, time }) => `${name} ${time}`),
      ['a 5', 'b 5', 'a 9'],
    );
    (seen.state.all as { n: number }[])[0]!.n = 2;
    assert.deepEqual(store.read('k')?.state.all, [{ n: 1 }]);
    assert.equal(store.read(Number.NaN), undefined);
  });
}

const byKey = ([a]: readonly [Key, unknown], [b]: readonly [Key, unknown]) => (String(a) < String(b) ? -1 : 1);
