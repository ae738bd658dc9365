import assert from 'node:assert/strict';
import { test } from 'node:test';
import { driveLog } from '../drive.ts';
import { generatorSpout } from './generator.ts';

function* count(to: number): Generator<number> {
  for (let i = 0; i < to; i++) yield i;
}

/** Timers that fire when the test moves the clock. */
function handClock() {
  let now = 0;
  const due = new Map<object, { at: number; callback: () => void }>();
  return {
    now: () => now,
    timers: {
      after(ms: number, callback: () => void) {
        const key = {};
        due.set(key, { at: now + ms, callback });
        return () => void due.delete(key);
      },
    },
    waiting: () => due.size,
    advance(ms: number) {
      now += ms;
      for (const [key, { at, callback }] of due) if (at <= now && due.delete(key)) callback();
    },
  };
}

test('gives the values in order with their count as position, and ends with the iterable', async () => {
  const driven = await driveLog(
    generatorSpout(() => ['a', 'b', 'c']),
    { now: () => 42, max: 2 },
  );
  await driven.toEnd();
  assert.deepEqual(driven.emitted, [
    { split: 'generator', position: 0, next: 1, value: 'a', time: 42 },
    { split: 'generator', position: 1, next: 2, value: 'b', time: 42 },
    { split: 'generator', position: 2, next: 3, value: 'c', time: 42 },
  ]);
});

test('takes from an endless generator no more than it is asked for', async () => {
  let made = 0;
  const endless = generatorSpout(function* () {
    for (;;) yield made++;
  });
  const driven = await driveLog(endless, { max: 10 });
  assert.equal(driven.once(), true);
  assert.equal(made, 10);
});

test('goes on from the position it is sought to', async () => {
  const driven = await driveLog(
    generatorSpout(() => count(1000)),
    { from: { generator: 997 }, max: 10 },
  );
  await driven.toEnd();
  assert.deepEqual(driven.values(), [997, 998, 999]);
  assert.equal(driven.emitted[0]?.position, 997);
});

test('a position past the end of the iterable ends the split', async () => {
  const driven = await driveLog(
    generatorSpout(() => count(3)),
    { from: { generator: 5 } },
  );
  await driven.toEnd();
  assert.deepEqual(driven.values(), []);
});

test('gives the values of an asynchronous iterable, however slowly they come', async () => {
  async function* slow() {
    for (let i = 0; i < 1000; i++) {
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      yield i;
    }
  }
  const driven = await driveLog(generatorSpout(slow));
  await driven.toEnd();
  assert.deepEqual(driven.values(), [...count(1000)]);
});

test('asks an asynchronous iterable for a bounded number of values ahead', async () => {
  let asked = 0;
  async function* endless() {
    for (;;) yield asked++;
  }
  await driveLog(generatorSpout(endless));
  for (let turn = 0; turn < 2000; turn++) await Promise.resolve();
  assert.ok(asked <= 257, `${asked} values were asked for`);
});

test('what the iterable throws is thrown to the engine', async () => {
  const broken = generatorSpout(function* (): Generator<number> {
    yield 1;
    throw new Error('sensor unplugged');
  });
  const driven = await driveLog(broken);
  await assert.rejects(driven.toEnd(), /sensor unplugged/);
  async function* brokenLater() {
    yield 1;
    throw new Error('sensor unplugged');
  }
  const drivenLater = await driveLog(generatorSpout(brokenLater));
  await assert.rejects(drivenLater.toEnd(), /sensor unplugged/);
  assert.deepEqual([driven.values(), drivenLater.values()], [[1], [1]]);
  // The engine asks again after a while: a failure must not turn into an end.
  assert.throws(() => driven.once(), /sensor unplugged/);
  assert.throws(() => drivenLater.once(), /sensor unplugged/);
  assert.deepEqual([driven.endedSplits, drivenLater.endedSplits], [[], []]);
});

test('gives nothing while its split is paused, and wakes the engine when it is resumed', async () => {
  const driven = await driveLog(
    generatorSpout(() => count(5)),
    { max: 2 },
  );
  driven.once();
  driven.reader.pause('generator');
  assert.equal(driven.once(), false);
  driven.reader.resume('generator');
  await driven.toEnd();
  assert.deepEqual(driven.values(), [0, 1, 2, 3, 4]);
});

test('keeps to its rate on the clock that it was handed', async () => {
  const clock = handClock();
  const driven = await driveLog(
    generatorSpout(() => count(1e6), { rate: 100 }),
    { now: clock.now, resources: { timers: clock.timers }, max: 1000 },
  );
  for (let ms = 0; ms < 2000; ms += 5) {
    driven.once();
    assert.equal(clock.waiting(), 1, 'exactly one timer waits for the next value');
    clock.advance(5);
  }
  assert.equal(driven.emitted.length, 200);
});

test('a rate below one a second still gives', async () => {
  const clock = handClock();
  const driven = await driveLog(
    generatorSpout(() => count(100), { rate: 0.1 }),
    { now: clock.now, resources: { timers: clock.timers } },
  );
  for (let second = 0; second <= 60; second++) {
    driven.once();
    clock.advance(1000);
  }
  assert.equal(driven.emitted.length, 7);
});

test('after a pause at most one second is made up for', async () => {
  const clock = handClock();
  const driven = await driveLog(
    generatorSpout(() => count(1e6), { rate: 10 }),
    { now: clock.now, resources: { timers: clock.timers } },
  );
  driven.once();
  clock.advance(3_600_000);
  driven.once();
  assert.equal(driven.emitted.length, 1 + 11);
});

test('refuses a rate that is no rate', () => {
  for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => generatorSpout(() => [], { rate }), { code: 'MR_OPTION' });
  }
});

test('closing lets the generator clean up', async () => {
  let cleaned = false;
  const driven = await driveLog(
    generatorSpout(function* () {
      try {
        for (;;) yield 1;
      } finally {
        cleaned = true;
      }
    }),
  );
  driven.once();
  await driven.reader.close?.();
  assert.ok(cleaned);
});
