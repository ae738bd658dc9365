/** Test support: the laws of time to live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type } from '../../topology/schema.ts';
import type { Ttl } from '../../topology/state-spec.ts';
import { list, mapOf, reducing, value } from '../../topology/state-spec.ts';
import type { OpenStore } from './opened.ts';
import { opened, whole } from './opened.ts';

const states = (ttl: Ttl) => ({
  one: value(0, { ttl }),
  sum: reducing(0, (a: number, b: number) => a + b, { ttl }),
  all: list(type<string>(), { ttl }),
  map: mapOf<number>(type<number>(), { ttl }),
});

/** A store and a way to make time pass, by the clock or by event time. */
function living(open: OpenStore, domain: 'clock' | 'event') {
  const clock = { now: 1_000 };
  const it = opened(open, { state: states({ [domain]: 100 } as unknown as Ttl), timers: { at: 'event' }, clock });
  it.store.watermark = 1_000;
  const at = (time: number) => {
    if (domain === 'clock') clock.now = time;
    else it.store.watermark = time;
  };
  return { ...it, at, clock };
}

export function lifetimesSuite(open: OpenStore): void {
  for (const domain of ['clock', 'event'] as const) {
    test(`by ${domain} time a value is there until its time to live is over, to the millisecond, and a write begins it anew`, () => {
      const { state, step, at, store, swept } = living(open, domain);
      const seen = () => step('k', () => [state.one.get(), state.sum.get()]);
      step('k', () => {
        state.one.set(1);
        state.sum.add(2);
      });
      at(1_099);
      assert.deepEqual(seen(), [1, 2]);
      step('k', () => state.sum.add(3));
      at(1_100);
      assert.deepEqual(seen(), [0, 5]);
      at(1_198);
      assert.deepEqual(seen(), [0, 5]);
      at(1_199);
      assert.deepEqual(seen(), [0, 0]);
      step('k', () => state.sum.add(3));
      assert.deepEqual(seen(), [0, 3]);
      at(9_999);
      swept();
      assert.equal(store.size, 0);
    });

    test(`by ${domain} time each element of a list or a map has its own time`, () => {
      const { state, step, failed, at, store, swept } = living(open, domain);
      const seen = () =>
        step('k', () => [state.all.get().join(''), [...state.map.entries()].join(' '), state.map.size]);
      for (const [i, name] of ['a', 'b', 'c'].entries()) {
        at(1_000 + 10 * i);
        step('k', () => {
          state.all.append(name);
          state.map.set(name, i);
        });
      }
      at(1_050);
      step('k', () => state.map.set('a', 9));
      at(1_109);
      assert.deepEqual(seen(), ['bc', 'a,9 b,1 c,2', 3]);
      at(1_110);
      assert.deepEqual(seen(), ['c', 'a,9 c,2', 2]);
      swept();
      assert.deepEqual(seen(), ['c', 'a,9 c,2', 2]);
      failed('k', () => {
        state.all.append('x');
        state.map.set('b', 5);
        state.map.delete('a');
      });
      assert.deepEqual(seen(), ['c', 'a,9 c,2', 2]);
      step('k', () => {
        state.all.append('d');
        state.map.set('b', 7);
      });
      assert.deepEqual(seen(), ['cd', 'a,9 c,2 b,7', 3]);
      step('k', () =>
        assert.deepEqual([state.map.get('a'), state.map.has('c'), state.map.get('z')], [9, true, undefined]),
      );
      at(1_150);
      assert.deepEqual(seen(), ['d', 'b,7', 1]);
      step('k', () => assert.deepEqual([state.map.get('a'), state.map.has('c')], [undefined, false]));
      at(1_210);
      assert.deepEqual(seen(), ['', '', 0]);
      swept();
      at(2_000);
      swept();
      assert.equal(store.size, 0);
    });

    test(`by ${domain} time a map entry whose write was undone lives no longer, and one that is set after its time is the last`, () => {
      const { state, step, failed, at } = living(open, domain);
      step('k', () => {
        for (const name of ['a', 'b', 'c']) state.map.set(name, 1);
      });
      at(1_050);
      failed('k', () => state.map.set('b', 2));
      step('k', () => state.map.set('c', 3));
      at(1_100);
      failed('k', () => state.map.set('b', 4));
      step('k', () => assert.deepEqual([...state.map.entries()], [['c', 3]]));
      step('k', () => {
        state.map.set('a', 5);
        assert.deepEqual([...state.map.keys()], ['c', 'a']);
      });
      step('k', () => assert.deepEqual([...state.map.keys()], ['c', 'a']));
    });

    test(`by ${domain} time an append that was undone leaves no time behind`, () => {
      const { state, step, failed, at } = living(open, domain);
      step('k', () => state.all.append('a'));
      failed('k', () => state.all.append('x'));
      at(1_050);
      step('k', () => state.all.append('b'));
      at(1_100);
      step('k', () => assert.deepEqual(state.all.get(), ['b']));
    });

    test(`by ${domain} time keys that came once and never again go, a few at a time`, () => {
      const { state, step, at, store } = living(open, domain);
      for (let i = 0; i < 1_000; i++) {
        at(1_000 + i / 10);
        step(i, () => state.one.set(i));
        step('busy', () => state.all.append(`${i}`));
      }
      assert.equal(store.size, 1_001);
      assert.equal(store.sweep(10), false);
      at(1_150);
      let portions = 0;
      for (let size = store.size; store.sweep(10); portions++) {
        assert.ok(size - store.size <= 10, 'a portion is small');
        size = store.size;
      }
      assert.ok(portions > 10);
      at(1_190);
      while (store.sweep(10));
      assert.ok(store.size < 200, `${store.size} keys are left`);
      at(1_300);
      while (store.sweep(10));
      assert.equal(store.size, 0);
    });
  }

  test('keys that were emptied before their time do not keep the others from going', () => {
    const { store, state, step, clock, swept } = living(open, 'clock');
    for (let i = 0; i < 500; i++) step(i, () => state.one.set(1));
    for (let i = 0; i < 500; i++) if (i % 10 !== 0) step(i, () => state.one.clear());
    for (let i = 1; i < 500; i += 10) step(i, () => state.one.set(1));
    assert.equal(store.size, 100);
    clock.now = 1_200;
    swept();
    assert.equal(store.size, 0);
  });

  test('it is known when something by the clock is to be swept', () => {
    const { store, state, step, clock, swept } = living(open, 'clock');
    assert.equal(store.nextClockExpiry, Infinity);
    step('k', () => state.one.set(1));
    const first = store.nextClockExpiry;
    assert.ok(first >= 1_100 && first <= 1_110, `${first}`);
    clock.now = 1_090;
    step('k', () => state.one.set(2));
    clock.now = first;
    swept();
    assert.equal(store.size, 1);
    assert.ok(store.nextClockExpiry >= 1_190 && store.nextClockExpiry < 1_200, `${store.nextClockExpiry}`);
    step('k', () => state.one.clear());
    assert.equal(store.nextClockExpiry, Infinity);
  });

  test('keys go as soon after years as at first, also those that live for milliseconds only', () => {
    const clock = { now: 0 };
    const { store, state, step, swept } = opened(open, { state: states(5), clock });
    for (const now of [1_000, 1e6, 1e9, 2e9, 5e10, 2e12]) {
      clock.now = now;
      step('k', () => state.one.set(1));
      assert.ok(store.nextClockExpiry >= now + 5 && store.nextClockExpiry <= now + 10);
      clock.now = now + 10;
      swept();
      assert.equal(store.size, 0);
    }
    const event = opened(open, { state: states({ event: 5 }) });
    event.step('k', () => event.state.one.set(1));
    for (const now of [-1e13, -5, 10, 2e12]) {
      event.store.watermark = now;
      event.swept();
      event.step('k', () => event.state.sum.add(1));
      assert.equal(event.store.size, 1);
      event.store.watermark = now + 10;
      event.swept();
      assert.equal(event.store.size, 0);
    }
  });

  test('what was written before there was any watermark counts from the first one', () => {
    const { store, state, step, swept } = opened(open, { state: states({ event: 100 }) });
    const seen = () => step('k', () => [state.one.get(), state.all.get().length, state.map.size]);
    step('k', () => {
      state.one.set(1);
      state.all.append('a');
      state.map.set('a', 1);
    });
    swept();
    assert.deepEqual(seen(), [1, 1, 1]);
    store.watermark = 5_000;
    assert.deepEqual(seen(), [1, 1, 1]);
    swept();
    store.watermark = 5_099;
    assert.deepEqual(seen(), [1, 1, 1]);
    const snapshot = store.snapshot('all');
    const again = opened(open, { state: states({ event: 100 }) });
    again.store.watermark = 5_099;
    again.store.restore(snapshot.shapes, whole(snapshot));
    again.store.watermark = 5_100;
    again.step('k', () => assert.equal(again.state.one.get(), 0));
    store.watermark = 5_100;
    assert.deepEqual(seen(), [0, 0, 0]);
    store.watermark = 6_000;
    swept();
    assert.equal(store.size, 0);
  });

  test('the end of the input expires nothing', () => {
    const { store, state, step, swept } = opened(open, { state: states({ event: 100 }) });
    store.watermark = 1_000;
    step('k', () => state.one.set(1));
    store.watermark = Infinity;
    step('k', () => {
      state.sum.add(1);
      assert.deepEqual([state.one.get(), state.sum.get()], [1, 1]);
    });
    swept();
    assert.equal(store.size, 1);
  });

  test('an event timer finds what there was at its time, however far the watermark came at once', () => {
    for (const end of [5_000, Infinity]) {
      const { store, state, step, timers } = living(open, 'event');
      step('k', () => {
        state.one.set(1);
        for (const time of [1_050, 1_099, 1_100]) timers.at.set(time);
      });
      store.watermark = end;
      const seen: number[] = [];
      while (store.fire('event', end)) {
        seen.push(state.one.get());
        store.commit();
      }
      assert.deepEqual(seen, [1, 1, 0]);
    }
  });

  test('within a step time stands still', () => {
    const { clock, state, step } = living(open, 'clock');
    step('k', () => state.one.set(1));
    clock.now = 1_099;
    step('k', () => {
      assert.equal(state.one.get(), 1);
      clock.now = 1_100;
      assert.equal(state.one.get(), 1);
    });
    step('k', () => assert.equal(state.one.get(), 0));
  });

  test('a clock that is set back brings no element out of order', () => {
    const { clock, state, step } = living(open, 'clock');
    step('k', () => state.all.append('a'));
    clock.now = 500;
    step('k', () => state.all.append('b'));
    clock.now = 1_099;
    step('k', () => assert.deepEqual(state.all.get(), ['a', 'b']));
    clock.now = 1_100;
    step('k', () => assert.deepEqual(state.all.get(), []));
  });

  test('states with different times to live of one key go each at its own', () => {
    const clock = { now: 0 };
    const { store, state, step, swept } = opened(open, {
      state: {
        long: value(0, { ttl: '1h' }),
        short: value(0, { ttl: '1s' }),
        ever: value(0),
        event: value(0, { ttl: { event: '1s' } }),
      },
      clock,
    });
    store.watermark = 0;
    step('k', () => {
      state.long.set(1);
      state.short.set(1);
      state.event.set(1);
    });
    const seen = () => step('k', () => [state.long.get(), state.short.get(), state.event.get()]);
    assert.ok(store.nextClockExpiry >= 1_000 && store.nextClockExpiry <= 1_100, `${store.nextClockExpiry}`);
    clock.now = 1_100;
    swept();
    assert.deepEqual(seen(), [1, 0, 1]);
    assert.ok(store.nextClockExpiry >= 3_600_000 && store.nextClockExpiry < 3_900_000);
    store.watermark = 2_000;
    swept();
    assert.deepEqual(seen(), [1, 0, 0]);
    step('k', () => state.ever.set(1));
    clock.now = 4_000_000;
    swept();
    assert.deepEqual(store.read('k')?.state, { long: 0, short: 0, ever: 1, event: 0 });
    step('k', () => state.ever.clear());
    assert.equal(store.size, 0);
    assert.equal(store.nextClockExpiry, Infinity);
  });

  for (const domain of ['clock', 'event'] as const) {
    test(`by ${domain} time a snapshot has what had not expired when it began, and nothing else (law 4)`, () => {
      const { store, state, step, at } = living(open, domain);
      for (const key of ['a', 'b']) step(key, () => state.all.append('early'));
      at(1_050);
      for (const key of ['a', 'b']) step(key, () => state.all.append('late'));
      at(1_120);
      const snapshot = store.snapshot('all');
      at(1_200);
      step('a', () => state.all.append('after'));
      const again = living(open, domain);
      again.store.restore(snapshot.shapes, whole(snapshot));
      again.at(1_120);
      for (const key of ['a', 'b']) again.step(key, () => assert.deepEqual(again.state.all.get(), ['late']));
    });
  }

  test('what was written before event time began has its date in the snapshots of changes after that', () => {
    const { store, state, step } = opened(open, { state: states({ event: 100 }) });
    for (let i = 0; i < 10; i++) step(i, () => state.one.set(1));
    const first = store.snapshot('changes');
    const saved = whole(first);
    store.watermark = 1_000;
    saved.push(...whole(store.snapshot('changes')));
    store.watermark = 1_050;
    saved.push(...whole(store.snapshot('changes')));
    const again = opened(open, { state: states({ event: 100 }) });
    again.store.restore(first.shapes, saved);
    again.store.watermark = 1_099;
    again.step(5, () => assert.equal(again.state.one.get(), 1));
    again.store.watermark = 1_100;
    again.step(5, () => assert.equal(again.state.one.get(), 0));
  });

  test('names and size of a map agree where some of it was written before event time began, and some by the first timers', () => {
    const { store, state, timers, step } = opened(open, {
      state: states({ event: 100 }),
      timers: { at: 'event' },
    });
    step('k', () => {
      state.map.set('before', 1);
      timers.at.set(40);
      timers.at.set(140);
    });
    store.watermark = 150;
    const seen: unknown[] = [];
    while (store.fire('event', 150)) {
      seen.push([...state.map.keys()], state.map.size);
      state.map.set('after', 1);
      store.commit();
    }
    assert.deepEqual(seen, [['before'], 1, ['before'], 1]);
  });
}
