/** Test support: the laws of timers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { value } from '../../topology/state-spec.ts';
import type { OpenStore } from './opened.ts';
import { opened, whole } from './opened.ts';

const timers = { expire: 'event', close: 'event', remind: 'clock' } as const;

export function timersSuite(open: OpenStore): void {
  test('timers are told by time, and those of one time in the order in which they were set', () => {
    const { store, timers: set, step, told } = opened(open, { timers });
    step('b', () => set.expire.set(20));
    step('a', () => {
      for (const time of [20, 10]) set.close.set(time);
    });
    step('c', () => set.expire.set(20));
    step('a', () => set.expire.set(20));
    step('a', () => set.remind.set(5));
    assert.deepEqual([store.next('event'), store.next('clock')], [10, 5]);
    assert.deepEqual([store.pending('event'), store.pending('clock')], [5, 1]);
    assert.deepEqual(told('event', 9), []);
    assert.equal(store.first('event')?.key, 'a');
    assert.deepEqual(told('event', 30), ['10 close a', '20 expire b', '20 close a', '20 expire c', '20 expire a']);
    assert.deepEqual(told('clock', 5), ['5 remind a']);
    assert.deepEqual([store.size, store.next('event'), store.next('clock')], [0, Infinity, Infinity]);
    assert.deepEqual([store.pending('event'), store.first('event')], [0, undefined]);
  });

  test('a timer set twice is told once, one that was cleared not at all', () => {
    const { timers: set, step, told } = opened(open, { timers });
    step('a', () => set.expire.set(10));
    step('a', () => {
      set.expire.set(10);
      set.close.set(10);
      set.expire.set(11);
      set.expire.set(12);
    });
    step('b', () => set.expire.clear(11));
    step('a', () => {
      set.expire.clear(11);
      set.expire.clear(13);
      set.expire.clear(12);
      set.expire.set(12);
    });
    assert.deepEqual(told('event', 100), ['10 expire a', '10 close a', '12 expire a']);
  });

  test('a step that fails has set and cleared no timer, and those that it cleared keep their place', () => {
    const { store, timers: set, step, failed, told } = opened(open, { timers });
    for (const key of ['a', 'b', 'c']) step(key, () => set.expire.set(10));
    failed('b', () => {
      set.expire.clear(10);
      set.expire.set(5);
      set.expire.set(10);
    });
    failed('d', () => set.expire.set(1));
    assert.deepEqual([store.next('event'), store.size], [10, 3]);
    assert.deepEqual(told('event', 10), ['10 expire a', '10 expire b', '10 expire c']);
  });

  test('a timer whose step fails is there again, before those that were behind it', () => {
    const { store, timers: set, state, step, told } = opened(open, { timers, state: { n: value(0) } });
    for (const key of ['a', 'b']) step(key, () => set.expire.set(10));
    for (let i = 0; i < 3; i++) {
      assert.equal(store.fire('event', 10)?.key, 'a');
      state.n.set(1);
      set.expire.set(10);
      set.expire.set(9);
      store.undo();
      assert.equal(store.next('event'), 10);
    }
    assert.equal(store.fire('event', 10)?.key, 'a');
    assert.equal(state.n.get(), 0);
    set.expire.set(10);
    set.expire.set(3);
    store.commit();
    assert.deepEqual(told('event', 10), ['3 expire a', '10 expire b', '10 expire a']);
  });

  test('many timers of one key, and many keys with timers of one time', () => {
    const { store, timers: set, step, failed, told } = opened(open, { timers });
    const many = 3_000;
    step('a', () => {
      for (let i = many; i > 0; i--) set.expire.set(i);
      for (let i = 1; i <= many; i++) set.expire.set(i);
      set.close.set(7);
    });
    failed('a', () => {
      for (let i = 1; i <= many; i++) set.expire.clear(i);
    });
    step('a', () => {
      for (let i = 1; i <= many; i += 2) set.expire.clear(i);
      for (let i = 1; i <= many; i++) set.close.set(i);
      for (let i = 1; i <= many; i++) if (i !== 7) set.close.clear(i);
    });
    const even = Array.from({ length: many / 2 }, (_, i) => `${2 * i + 2} expire a`);
    assert.deepEqual(told('event', many), [...even.slice(0, 3), '7 close a', ...even.slice(3)]);

    for (let i = 0; i < many; i++) step(i, () => set.expire.set(many + 1));
    for (let i = 0; i < many; i++) if (i % 10 !== 0) step(i, () => set.expire.clear(many + 1));
    failed(10, () => set.expire.clear(many + 1));
    const tenth = Array.from({ length: many / 10 }, (_, i) => `${many + 1} expire ${10 * i}`);
    assert.deepEqual(told('event', many + 1), tenth);
    assert.equal(store.size, 0);
  });

  test('a timer that is moved again and again, as time-outs are, is told once', () => {
    const { store, timers: set, step, told } = opened(open, { timers });
    step('other', () => set.expire.set(100_000));
    for (let i = 0; i < 5_000; i++) {
      step('a', () => {
        set.expire.clear(i + 30);
        set.expire.set(i + 31);
      });
      assert.equal(store.next('event'), i + 31);
    }
    assert.deepEqual(told('event', Infinity), ['5030 expire a', '100000 expire other']);
  });

  test('a time that is none is refused', () => {
    const { timers: set, step } = opened(open, { timers });
    for (const time of [Number.NaN, Infinity, -Infinity, undefined, '5', new Date(0)]) {
      step('k', () => assert.throws(() => set.expire.set(time as number), { code: 'MR_TIMER_TIME' }));
    }
  });

  test('the order of timers survives a restart, also that of new ones behind old ones', () => {
    const { store, timers: set, step } = opened(open, { timers });
    for (const key of ['z', 'b', 'y', 'a', 'x']) step(key, () => set.expire.set(10));
    step('a', () => set.close.set(10));
    const snapshot = store.snapshot('all');
    const saved = whole(snapshot);
    const again = opened(open, { timers: { remind: 'clock', close: 'event', expire: 'event' } });
    again.store.restore(snapshot.shapes, saved);
    again.step('0', () => again.timers.expire.set(10));
    const names = ['expire z', 'expire b', 'expire y', 'expire a', 'expire x', 'close a', 'expire 0'];
    assert.deepEqual(
      again.told('event', 10),
      names.map((name) => `10 ${name}`),
    );
  });
}
