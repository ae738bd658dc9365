import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testRun, torture } from 'millrace/testing';
import { detect, statistics } from './detect.ts';
import detector from './detector.ts';
import type { Alert } from './readings.ts';

const START = Date.UTC(2026, 0, 1, 12);

/** The alerts for a device's values, a tenth of a second apart unless their times are given. */
function alertsFor(values: readonly number[], times = values.map((_, i) => 100 * i)): Alert[] {
  const run = testRun(detector, { start: START });
  values.forEach((value, i) => {
    run.feed('readings', { device_id: 'd', value, timestamp: START + times[i]! });
  });
  return run.read('alerts');
}

test('an alert holds the reading, the window it was judged by, and the last five readings', async () => {
  const run = testRun(detector, { start: START });
  const values = [48, 50, 52, 50, 50, 50, 50, 100];
  const readings = values.map((value, i) => ({ device_id: 'd', value, timestamp: START - 5000 + 100 * i }));
  for (const reading of readings) run.feed('readings', reading);
  await run.settle();
  const expected = {
    device_id: 'd',
    value: 100,
    timestamp: START - 4300,
    window_mean: 56.25,
    window_std: Math.sqrt((8.25 ** 2 + 4.25 ** 2 + 5 * 6.25 ** 2 + 43.75 ** 2) / 8),
    z_score: 43.75 / Math.sqrt((8.25 ** 2 + 4.25 ** 2 + 5 * 6.25 ** 2 + 43.75 ** 2) / 8),
    alert_time: START,
    last_readings: readings.slice(-5),
  };
  assert.deepEqual(run.read('alerts'), [expected]);
  assert.deepEqual(run.written('alerts'), [expected]);
});

test('with fewer than five readings nothing is an anomaly', () => {
  assert.deepEqual(alertsFor([50, 50, 50, 1000]), []);
});

test('of five readings one is at most exactly 2 deviations away, and that is not above 2', () => {
  assert.equal(statistics([50, 50, 50, 50, 100], 100).zScore, 2);
  assert.deepEqual(alertsFor([50, 50, 50, 50, 100]), []);
});

test('exactly 2 is no anomaly either where the sums of fractions come out a hair above it', () => {
  let above = 0;
  for (let i = 1; i <= 500; i++) {
    const values = [i / 10, i / 10, i / 10, i / 10, i / 10 + i / 7];
    if (statistics(values, values[4]!).zScore > 2) above++;
    assert.deepEqual(alertsFor(values), []);
  }
  assert.ok(above > 0, 'no case in which rounding matters');
});

test('six readings are the fewest that can alert', () => {
  const [alert] = alertsFor([50, 50, 50, 50, 50, 100]);
  assert.equal(alert?.z_score, Math.sqrt(5));
});

test('where all readings are the same there is no deviation, and no anomaly', () => {
  assert.equal(statistics([7, 7, 7, 7, 7, 7], 7).zScore, 0);
  assert.deepEqual(alertsFor([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), []);
});

test('a reading far below the others is an anomaly as well', () => {
  assert.deepEqual(
    alertsFor([50, 50, 50, 50, 50, 0]).map((alert) => alert.value),
    [0],
  );
});

test('a reading exactly ten seconds older is out of the window, one of a millisecond less is in it', () => {
  const values = [50, 50, 50, 50, 50, 100];
  const out = alertsFor(values, [0, 9600, 9700, 9800, 9900, 10_000]);
  const within = alertsFor(values, [1, 9600, 9700, 9800, 9900, 10_000]);
  assert.deepEqual([out.length, within.length], [0, 1]);
});

test('what has left the window is not counted any more', () => {
  const before = [10, 90, 10, 90, 10, 90];
  const after = [50, 50, 50, 50, 50, 60];
  const times = [...before.map((_, i) => i * 100), ...after.map((_, i) => 20_000 + i * 100)];
  const [alert, ...more] = alertsFor([...before, ...after], times);
  assert.equal(more.length, 0);
  assert.equal(alert?.window_mean, 310 / 6);
});

test('each device is judged by its own readings, however they are mixed', () => {
  const run = testRun(detector, { start: START, encodeEdges: true });
  for (let i = 0; i < 6; i++) {
    for (const [device_id, usual] of [
      ['low', 10],
      ['high', 1000],
    ] as const) {
      const value = i === 5 && device_id === 'low' ? 20 : usual;
      run.feed('readings', { device_id, value, timestamp: START + i });
    }
  }
  assert.deepEqual(
    run.read('alerts').map(({ device_id, value, last_readings }) => [device_id, value, last_readings.length]),
    [['low', 20, 5]],
  );
});

test('a late reading is judged by what was measured before it, and leaves the others as they were', () => {
  const late = alertsFor([50, 50, 50, 50, 50, 100, 100], [0, 100, 200, 300, 400, 600, 500]);
  assert.deepEqual(
    late.map(({ value, timestamp }) => [value, timestamp - START]),
    [
      [100, 600],
      [100, 500],
    ],
  );
  assert.equal(late[1]?.window_mean, 350 / 6);
});

test('the alerts do not depend on restarts, retries, or a slow topic', async () => {
  const inputs = Array.from({ length: 12 }, (_, i) => {
    const timestamp = START + 1000 * i;
    return [{ device_id: i % 4 === 0 ? 'a' : 'b', value: i === 10 ? 90 : 50 + (i % 3), timestamp }, timestamp] as const;
  });
  const { came } = await torture(detect, { key: (r) => r.device_id, inputs });
  assert.equal(came.filter(({ stream }) => stream === 'alerts').length, 1);
});
