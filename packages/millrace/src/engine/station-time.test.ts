/** What components say of their event time, timers and keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asyncBolt, bolt, count, flatMap, globalWindow, topology, type, value, windowed } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

const timed = bolt({
  state: { last: value(0) },
  timers: { event: 'event', clock: 'clock' },
  prepare: ({ state, timers }) => ({
    execute(at: number) {
      state.last.set(at);
      timers.event.set(at + 10_000);
      timers.clock.set(5000 - at);
    },
    timer: { event() {}, clock() {} },
  }),
});

test('tasks of bolts that keep no state say how far they have given event time on', async () => {
  const { spout } = new ArraySource(type<number>(), { a: [100] }, true);
  const built = topology('t', (t) => {
    const raw = t.spout('in', spout, { time: { from: (at) => at } });
    const calls = t.bolt('calls', raw.shuffle(), asyncBolt({ concurrency: 1, execute: async (n: number) => n }));
    t.bolt(
      'timed',
      t
        .bolt(
          'many',
          calls.shuffle(),
          flatMap((n: number) => [n]),
        )
        .global(),
      timed,
    );
  });
  const { runtime, running } = await startVirtual(built);
  await runtime.settle();
  assert.deepEqual(
    running.metrics().components.map(({ component, watermark, timers, keys }) => [component, watermark, timers, keys]),
    [
      ['in', 99, undefined, undefined],
      ['calls', 99, undefined, undefined],
      ['many', 99, undefined, undefined],
      ['timed', 99, 2, 1],
    ],
  );
  assert.equal(running.explain('calls', { time: 50 }).state, 'passed');
  assert.equal(running.explain('many', { time: 50 }).state, 'passed');
});

test('the task that is furthest behind counts, and one that is idle does not', async () => {
  const splits = { a: [100], b: [50] };
  const source = new ArraySource(type<number>(), splits, true);
  const built = topology('t', (t) => {
    t.bolt(
      'timed',
      t.spout('in', source.spout, { parallelism: 2, time: { from: (at) => at, idle: '10s' } }).global(),
      timed,
    );
  });
  const { runtime, running } = await startVirtual(built);
  const watermark = () => running.eventTime()[0]!.watermark;
  await runtime.settle();
  assert.equal(watermark(), 49);
  await runtime.advance('9s');
  splits.a.push(200);
  source.wake();
  await runtime.advance('2s');
  assert.equal(watermark(), 199);
  assert.deepEqual(
    running.eventTime().map(({ idle }) => idle),
    [false, false],
  );
  await runtime.advance('10s');
  assert.equal(watermark(), 49);
  assert.deepEqual(
    running.eventTime().map(({ idle }) => idle),
    [true, true],
  );
});

test('the timer that is next by event time is explained: by the clock, or at the end of the input, comes after it', async () => {
  const source = new ArraySource(type<number>(), { a: [400, 300, 200, 350, 250] }, true);
  const built = topology('t', (t) => {
    const raw = t.spout('in', source.spout, { time: { from: (at) => at } });
    t.bolt(
      'timed',
      raw.keyBy((n) => n),
      timed,
      { parallelism: 4 },
    );
    t.bolt(
      'all',
      raw.keyBy((n) => n),
      windowed(globalWindow(), { n: count() }, { early: '1m' }),
    );
    t.bolt('one', raw.global(), timed, { parallelism: 256 });
  });
  const { runtime, running } = await startVirtual(built);
  await runtime.settle();
  const { timer } = running.explain('timed');
  assert.deepEqual([timer?.name, timer?.time, timer?.key], ['event', 10_200, '200']);
  assert.equal(running.explain('timed', { key: 300 }).timer?.time, 10_300);
  const early = running.explain('all').timer;
  assert.deepEqual([early?.name, early?.domain, early?.window], ['early', 'clock', undefined]);
  assert.deepEqual(running.explain('all').holders, [], 'the clock is held by nobody');
  assert.equal(running.readState('one', [])?.state.last, 250);
});
