import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spout, topology, type } from '../../index.ts';
import { testRun } from '../../testing.ts';
import { collect } from '../aggregates/collect.ts';
import { count } from '../aggregates/count.ts';
import { aggregate } from '../aggregates/custom.ts';
import { mean, sum } from '../aggregates/sum.ts';
import type { WindowAssigner } from './assigners.ts';
import { countWindow, globalWindow, session, sliding, tumbling } from './assigners.ts';
import { WindowStage } from './window-stage.fixture.ts';
import { type WindowedOptions, windowed } from './windowed.ts';

interface Reading {
  readonly device: string;
  readonly value: number;
}
const never = spout({ emits: type<Reading>(), open: () => ({ nextTuple: () => false }) });
const at = (device: string, value: number): Reading => ({ device, value });

/** Values of each window, with the event time at which the result came. */
const valuesIn = (assigner: WindowAssigner<Reading>, options: WindowedOptions<false> = {}) =>
  topology('windows', (t) => {
    const raw = t.spout('raw', never);
    const values = collect((r: Reading) => r.value);
    const windows = t.bolt('windows', raw.fields('device'), windowed(assigner, { values }, options), {
      parallelism: 3,
    });
    const timed = t.bolt('timed', windows.shuffle(), ({ key, start, end, timing, values }, time) => {
      return `${time} ${key} ${start}–${end} ${timing}: ${values.join(' ')}`;
    });
    return { raw, timed };
  });

test('a window holds start ≤ t < end, comes when event time is at its last millisecond, and bears that time', async () => {
  const run = testRun(valuesIn(tumbling(10)), { encodeEdges: true });
  for (const [value, time] of [
    [1, 0],
    [2, 9],
    [3, 10],
    [4, -1],
    [5, -10],
  ] as const)
    run.feed('raw', at('a', value), time);
  await run.watermark(-2);
  assert.deepEqual(run.read('timed'), []);
  await run.watermark(8);
  assert.deepEqual(run.read('timed'), ['-1 a -10–0 on time: 5 4']);
  await run.watermark(9);
  assert.deepEqual(run.read('timed'), ['9 a 0–10 on time: 1 2']);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('timed'), ['19 a 10–20 on time: 3'], 'the end of the input closes what is open');
});

test('a value that is late for all of its windows is in the ledger, with its time, its window and the watermark', async () => {
  const run = testRun(valuesIn(sliding(20, 10)));
  await run.watermark(25);
  run.feed('raw', at('a', 1), 19);
  run.feed('raw', at('a', 2), 9);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('timed'), ['29 a 10–30 on time: 1'], 'late for one window, in time for the other');
  const [entry, ...more] = run.ledger();
  assert.equal(more.length, 0);
  assert.deepEqual([entry!.component, entry!.cause, entry!.time], ['windows', 'late', 9]);
  assert.equal(
    entry!.detail,
    'its time is 1970-01-01T00:00:00.009Z, its last window ended at 1970-01-01T00:00:00.020Z, and event time is at 1970-01-01T00:00:00.025Z',
  );
});

test('with late: true late values are a stream, with their times', async () => {
  const late = topology('late', (t) => {
    const raw = t.spout('raw', never);
    const out = t.bolt('windows', raw.fields('device'), windowed(tumbling(10), { n: count() }, { late: true }));
    const times = t.bolt('times', out.late.shuffle(), (r, time) => `${r.device} ${r.value} ${time}`);
    return { raw, times, results: out.results };
  });
  const run = testRun(late);
  await run.watermark(9);
  run.feed('raw', at('a', 1), 9);
  run.feed('raw', at('a', 2), 10);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('times'), ['a 1 9']);
  assert.deepEqual(run.read('results'), [{ key: 'a', start: 10, end: 20, timing: 'on time', n: 1 }]);
  assert.deepEqual(run.ledger(), []);
});

test('within the allowed lateness a window comes again for each late value; after it, it is gone', async () => {
  const run = testRun(valuesIn(tumbling(10), { lateness: 5 }));
  run.feed('raw', at('a', 1), 3);
  await run.watermark(13);
  run.feed('raw', at('a', 2), 1);
  run.feed('raw', at('b', 3), 1);
  assert.deepEqual(run.read('timed'), ['9 a 0–10 on time: 1', '9 a 0–10 late: 2 1', '9 b 0–10 late: 3']);
  await run.watermark(14);
  run.feed('raw', at('a', 4), 1);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('timed'), []);
  assert.match(run.ledger()[0]!.detail, /with 5 ms of lateness allowed/);
});

test('a value exactly the gap after the last one begins another session, and one that bridges two makes them one', async () => {
  const run = testRun(valuesIn(session(10)));
  for (const [value, time] of [
    [1, 0],
    [2, 9],
    [3, 27],
    [4, 18],
  ] as const) {
    run.feed('raw', at('a', value), time);
    run.feed('raw', at('b', value), time === 18 ? 37 : time);
  }
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('timed').sort(), [
    '18 b 0–19 on time: 1 2',
    '36 a 0–37 on time: 1 2 4 3',
    '36 b 27–37 on time: 3',
    '46 b 37–47 on time: 4',
  ]);
});

test('by the clock a value belongs to the moment at which it is worked on', async () => {
  const run = testRun(valuesIn(tumbling('10s', { by: 'clock' }), { early: '4s' }), { start: 1000 });
  run.feed('raw', at('a', 1), 123_456);
  await run.advance('8s');
  run.feed('raw', at('a', 2), 5);
  await run.advance('2s');
  assert.deepEqual(run.read('timed'), ['9999 a 0–10000 early: 1', '9999 a 0–10000 on time: 1 2']);
  run.feed('raw', at('a', 3), 5);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('timed'), ['19999 a 10000–20000 on time: 3'], 'the end of the input closes these, too');
});

test('early results come while there is news, accumulated or only what is new', async () => {
  for (const mode of ['accumulating', 'discarding'] as const) {
    const run = testRun(valuesIn(tumbling('1h'), { early: '1m', mode }));
    run.feed('raw', at('a', 1), 0);
    await run.advance('3m');
    run.feed('raw', at('a', 2), 1);
    await run.advance('3m');
    run.feed('raw', at('a', 3), 2);
    await run.watermark(3_600_000);
    const values = run.read('timed').map((line) => line.split(' ').slice(3).join(' '));
    const wanted =
      mode === 'accumulating' ? ['early: 1', 'early: 1 2', 'on time: 1 2 3'] : ['early: 1', 'early: 2', 'on time: 3'];
    assert.deepEqual(values, wanted);
  }
});

test('a value that an aggregate cannot take is in the ledger, and its window is as if it had not come', async () => {
  const sums = topology('sums', (t) => {
    const raw = t.spout('raw', never);
    const stats = windowed(tumbling(10), {
      sum: sum((r: Reading) => r.value),
      mean: mean((r: Reading) => 10 / r.value),
      n: count(),
    });
    return { raw, out: t.bolt('stats', raw.fields('device'), stats, { onError: { retries: 1, backoff: 0 } }) };
  });
  const run = testRun(sums);
  for (const value of [5, 0, 10]) run.feed('raw', at('a', value), 1);
  await run.advance('1s');
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.read('out'), [{ key: 'a', start: 0, end: 10, timing: 'on time', sum: 15, mean: 1.5, n: 2 }]);
  assert.match(run.ledger()[0]!.detail, /mean\(…\) was given Infinity, which is not a finite number/);
});

test('a result that cannot be made is in the ledger, and holds up no other window of its key', async () => {
  const fussy = aggregate({
    create: () => 0,
    add: (n: number, r: Reading) => n + r.value,
    merge: (a, b) => a + b,
    result(n, { start }) {
      if (start === 10) throw new Error('not this one');
      return n;
    },
  });
  for (const assigner of [tumbling(10), sliding(20, 10), session(5)]) {
    const fussyWindows = topology('fussy', (t) => {
      const raw = t.spout('raw', never);
      const policy = { onError: { retries: 2, backoff: '1s' } } as const;
      return { raw, out: t.bolt('windows', raw.fields('device'), windowed(assigner, { fussy }), policy) };
    });
    const run = testRun(fussyWindows);
    for (const time of [0, 10, 20]) run.feed('raw', at('a', 1), time);
    await run.watermark(1000);
    await run.advance('10s');
    const starts = run.read('out').map(({ start }) => start);
    assert.deepEqual(starts, assigner.kind === 'time' && assigner.size === 20 ? [-10, 0, 20] : [0, 20]);
    assert.deepEqual(
      run.ledger().map(({ cause }) => cause),
      ['error'],
    );
    assert.match(run.ledger()[0]!.detail, /not this one/);
    assert.equal(run.metrics('windows').errors, 3);

    const stage = new WindowStage(windowed(assigner, { n: count() }) as never);
    stage.feed('a', at('a', 1), 10);
    stage.advanceTo(1000);
    assert.equal(stage.size, 0);
  }
});

test('a time that is no date is refused: it would be in no window, or in all', () => {
  for (const assigner of [tumbling(10), sliding(20, 10), session(5), countWindow(2), globalWindow()]) {
    const stage = new WindowStage(windowed(assigner, { n: count() }) as never);
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, 1e16]) {
      assert.throws(() => stage.feed('a', at('a', 1), time), { code: 'MR_WINDOW_TIME' });
    }
    assert.equal(stage.size, 0);
  }
});

test('a key that appears once keeps nothing after its last window, whatever the windows', () => {
  for (const assigner of [tumbling(10), sliding(1000, 10), sliding(17, 5), session(5)]) {
    for (const options of [{}, { lateness: 7 }, { lateness: 7, mode: 'discarding' }, { early: 5 }] as const) {
      const stage = new WindowStage(windowed(assigner, { n: count() }, options) as never);
      for (let key = 0; key < 100; key++) stage.feed(key, at('', key), key);
      assert.equal(stage.size, 100);
      stage.advanceTo(2000);
      assert.deepEqual([stage.size, stage.pending('event')], [0, 0]);
      stage.clockTo(100);
      assert.equal(stage.pending('clock'), 0);
    }
  }
  const byClock = { by: 'clock' } as const;
  for (const assigner of [tumbling(10, byClock), sliding(17, 5, byClock), session(5, byClock)]) {
    const stage = new WindowStage(windowed(assigner, { n: count() }, { early: 3 }) as never);
    stage.feed('a', at('', 1), 0);
    stage.clockTo(50);
    assert.deepEqual([stage.size, stage.pending('event'), stage.pending('clock')], [0, 0, 0]);
  }
});

test('an early timer that is told late shows nothing twice', () => {
  for (const assigner of [tumbling(1000), sliding(1000, 100), session(1000), globalWindow()]) {
    const stage = new WindowStage(windowed(assigner, { n: count() }, { early: 10 }) as never);
    stage.feed('a', at('a', 1), 950);
    stage.now = 15;
    stage.feed('a', at('a', 2), 950);
    stage.clockTo(30);
    const shown = stage.emitted.map(({ value }) => value as { start: number; timing: string; n: number });
    assert.ok(shown.length > 0 && shown.every(({ timing, n }) => timing === 'early' && n === 2));
    assert.equal(new Set(shown.map(({ start }) => start)).size, shown.length);
  }
});

test('what other windows have kept is not taken over: it would be misread', () => {
  const kept = (assigner: WindowAssigner<Reading>, aggregates: object, options: WindowedOptions = {}) =>
    new WindowStage(windowed(assigner, aggregates as { n: ReturnType<typeof count> }, options) as never);
  const n = { n: count() };
  const others = [
    kept(tumbling(20), n),
    kept(tumbling(10, { offset: 1 }), n),
    kept(tumbling(10), { m: count() }),
    kept(tumbling(10), { n: sum((r: Reading) => r.value) }),
    kept(tumbling(10), { ...n, sum: sum((r: Reading) => r.value) }),
    kept(sliding(10, 5), n),
    kept(session(10), n),
    kept(countWindow(10), n),
  ];
  for (const other of others) {
    const before = kept(tumbling(10), n);
    before.feed('a', at('a', 1), 5);
    assert.throws(() => other.takeOver(before), { code: 'MR_STATE_SHAPE' });
  }
  const panes = kept(sliding(20, 10), n, { lateness: 5 });
  panes.feed('a', at('a', 1), 5);
  const windows = kept(sliding(20, 10), n, { lateness: 5, mode: 'discarding' });
  assert.throws(() => windows.takeOver(panes), { code: 'MR_STATE_SHAPE' });

  const before = kept(tumbling(10), n);
  before.feed('a', at('a', 1), 5);
  const after = kept(tumbling(10), n, { lateness: 5 });
  after.takeOver(before);
  after.advanceTo(9);
  assert.deepEqual(after.emitted[0]?.value, { key: 'a', start: 0, end: 10, timing: 'on time', n: 1 });
});

test('options that mean nothing for a kind of window, and names that it has itself, are refused when it is built', () => {
  const n = { n: count() };
  const refuses = (make: () => unknown, message: RegExp) => assert.throws(make, { code: 'MR_OPTION', message });
  refuses(
    () => windowed(tumbling(1, { by: 'clock' }), n, { lateness: 5 }),
    /lateness is 5, which is not for windows in event time/,
  );
  refuses(() => windowed(globalWindow(), n, { late: true }), /late is true, which is not for windows in event time/);
  refuses(() => windowed(countWindow(5), n, { early: '1s' }), /early is "1s", which is not for countWindow/);
  refuses(
    () => windowed(countWindow(5), n, { mode: 'discarding' }),
    /mode is "discarding", which is not for countWindow/,
  );
  refuses(() => windowed(tumbling(1), n, { mode: 'both' as never }), /'accumulating' or 'discarding'/);
  refuses(
    () => windowed(tumbling(1), n, { lateness: '1 min' as never }),
    /lateness is "1 min", which is not a duration/,
  );
  refuses(() => windowed(tumbling(1), n, { early: 0 }), /early is 0, which is not at least 1 ms/);
  refuses(
    () => windowed(tumbling(1), { n: count as never }),
    /'n' is .*, which is not an aggregate, such as count\(\)/,
  );
  for (const name of ['key', 'start', 'end', 'timing']) {
    refuses(
      () => windowed(tumbling(1), { [name]: count() } as never),
      new RegExp(`an aggregate is "${name}", which is not a free name`),
    );
  }
});
