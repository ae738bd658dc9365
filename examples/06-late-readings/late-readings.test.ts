import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { testRun } from 'millrace/testing';
import { statistics } from '../02-anomaly-detector/detect.ts';
import { Command, millrace, temporaryFolder } from '../testing/command.ts';
import lateReadings from './late-readings.ts';
import type { Reading } from './readings.ts';
import { arrivals, BUSY, LOST, READINGS_PER_SECOND } from './sensors.ts';

const START = Date.UTC(2026, 0, 1, 12);
const DISORDER = 5000;

/** The readings of so many seconds as they arrive, each with the moment of its arrival. */
function arriving(seconds: number, seed = 1): { readonly reading: Reading; readonly arrives: number }[] {
  const network = arrivals(seed);
  return Array.from({ length: seconds * READINGS_PER_SECOND }, (_, n) => {
    const { delay, ...measured } = network.next().value;
    const arrives = START + (n * 1000) / READINGS_PER_SECOND;
    return { reading: { ...measured, timestamp: arrives - delay }, arrives };
  });
}

/** The alerts for readings that arrive in this order, with the watermark that follows from them, and what was too late. */
async function detected(readings: readonly Reading[]) {
  const run = testRun(lateReadings, { start: START });
  let newest = 0;
  for (const reading of readings) {
    run.feed('readings', reading, reading.timestamp);
    newest = Math.max(newest, reading.timestamp);
    await run.watermark(newest - DISORDER - 1);
  }
  await run.watermark(Number.POSITIVE_INFINITY);
  const alerts = run
    .read('alerts')
    .map(({ device_id, timestamp, value, z_score }) => ({ device_id, timestamp, value, z_score }));
  return { alerts: alerts.sort(byReading), boards: run.read('boards'), late: run.ledger().length };
}

function byReading(a: Reading, b: Reading): number {
  return a.timestamp - b.timestamp || (a.device_id < b.device_id ? -1 : 1);
}

/** What is an anomaly, from all readings at once. */
function naive(readings: readonly Reading[]) {
  return readings
    .flatMap((reading) => {
      const window = readings.filter(
        (r) =>
          r.device_id === reading.device_id &&
          r.timestamp > reading.timestamp - 10_000 &&
          (r.timestamp < reading.timestamp || r === reading),
      );
      const { zScore } = statistics(
        window.sort(byReading).map((r) => r.value),
        reading.value,
      );
      const { device_id, timestamp, value } = reading;
      return window.length >= 5 && zScore > 2 + 1e-9 ? [{ device_id, timestamp, value, z_score: zScore }] : [];
    })
    .sort(byReading);
}

const arrived = arriving(40).map(({ reading }) => reading);
let newest = 0;
/** Those that come within the disorder that is allowed for. */
const inTime = arrived.filter(({ timestamp }) => {
  newest = Math.max(newest, timestamp);
  return timestamp >= newest - DISORDER;
});

test('late and out of order, the alerts are those of the readings in order; what is too late is in the ledger', async () => {
  const { alerts, late } = await detected(arrived);
  const ordered = await detected(inTime.toSorted(byReading));
  assert.ok(alerts.length > 20);
  assert.deepEqual(alerts, ordered.alerts);
  assert.deepEqual(alerts, naive(inTime));
  assert.equal(late, arrived.length - inTime.length);
  assert.ok(late > 0);
});

test('the leaderboard of a window is the same whatever the order', async () => {
  const last = (boards: Awaited<ReturnType<typeof detected>>['boards']) =>
    boards.filter(({ timing }) => timing === 'on time').map(({ start, end, leaders }) => ({ start, end, leaders }));
  const late = last((await detected(arrived)).boards);
  assert.deepEqual(late, last((await detected(inTime.toSorted(byReading))).boards));
  assert.deepEqual(
    late.map(({ start, end, leaders }) => [start - START, end - START, leaders.length]),
    [[0, 300_000, 3]],
  );
});

test('the leaderboard is shown as it stands every ten seconds', async () => {
  const run = testRun(lateReadings, { start: START });
  for (const { reading, arrives } of arriving(25)) {
    run.feed('readings', reading, reading.timestamp);
    await run.watermark(arrives - DISORDER - 1);
    await run.advance(1000 / READINGS_PER_SECOND);
  }
  const boards = run.read('boards');
  assert.deepEqual(
    boards.map(({ timing }) => timing),
    ['early', 'early'],
  );
  assert.equal(boards[1]!.start, START);
});

test('the network mixes up readings, and holds up a few for long', () => {
  const delays = Array.from(
    { length: 2000 },
    (
      (arrival) => () =>
        arrival.next().value.delay
    )(arrivals(1)),
  );
  assert.ok(delays.some((delay) => delay === LOST));
  assert.ok(delays.filter((delay) => delay > 0 && delay < BUSY).length > 300);
});

test('as a person runs it: its alerts are on screen and in the topic', { timeout: 90_000 }, async (t) => {
  const data = temporaryFolder(t);
  const running = new Command(t, ['run', join(import.meta.dirname, 'late-readings.ts'), '--data', data, '--no-kafka']);
  await running.shows(/(ALERT[\s\S]+?){2}\n/);
  running.interrupt();
  await running.ended;
  const { stdout } = await millrace(t, 'consume', 'ordered_alerts', '--data', data);
  assert.ok(stdout.trimEnd().split('\n').length >= 2);
});
