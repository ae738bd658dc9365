import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testRun, torture } from 'millrace/testing';
import detector from './detector.ts';
import { FIVE_MINUTES, type Leaderboard, leaders } from './leaders.ts';
import type { Alert } from './readings.ts';

const START = Date.UTC(2026, 0, 1, 12);

function alertAt(device_id: string, after: number, z_score = 3): Alert {
  const timestamp = START + after;
  const rest = { value: 90, window_mean: 50, window_std: 10, alert_time: timestamp, last_readings: [] };
  return { device_id, timestamp, z_score, ...rest };
}

/** A run that has been given these alerts. */
function fed(...alerts: readonly Alert[]) {
  const run = testRun(detector, { start: START });
  for (const alert of alerts) run.feed('alerts', alert);
  return run;
}

test('every ten seconds, and no sooner, the board as it stands', async () => {
  const run = fed(alertAt('a', 0));
  await run.advance('9999ms');
  assert.deepEqual(run.read('boards'), []);
  await run.advance('1ms');
  const leaders = [{ device_id: 'a', alerts: 1, highest_z: 3 }];
  const board = { start: START, end: START + FIVE_MINUTES, leaders };
  assert.deepEqual(run.read('boards'), [board]);
  await run.advance('20s');
  assert.deepEqual(run.read('boards'), [board, board]);
});

test('no board before the first alert', async () => {
  const run = fed();
  await run.advance('1m');
  assert.deepEqual(run.read('boards'), []);
});

test('the three devices with the most alerts; the highest z-score decides among equals', async () => {
  const run = fed(
    ...[alertAt('a', 1, 9), alertAt('b', 2, 3), alertAt('b', 3, 4), alertAt('c', 4, 5), alertAt('c', 5, 2.5)],
    ...[alertAt('d', 6), alertAt('d', 7), alertAt('d', 8), alertAt('e', 9, 2.1)],
  );
  await run.advance('10s');
  assert.deepEqual(
    run.read('boards').map((board) => board.leaders),
    [
      [
        { device_id: 'd', alerts: 3, highest_z: 3 },
        { device_id: 'c', alerts: 2, highest_z: 5 },
        { device_id: 'b', alerts: 2, highest_z: 4 },
      ],
    ],
  );
});

test('a window ends before its fifth minute is full, the next one begins with it', async () => {
  const run = fed(alertAt('a', 0), alertAt('a', FIVE_MINUTES - 1), alertAt('a', FIVE_MINUTES));
  await run.advance('10s');
  assert.deepEqual(
    run.read('boards').map(({ start, leaders }) => [start - START, leaders[0]?.alerts]),
    [
      [0, 2],
      [FIVE_MINUTES, 1],
    ],
  );
});

test('a window that is over is shown once more, whole, and then no more', async () => {
  const run = fed(alertAt('a', FIVE_MINUTES - 20));
  await run.advance('10s');
  run.read('boards');
  // Another device is a little behind: its alert still counts where it belongs.
  run.feed('alerts', alertAt('a', FIVE_MINUTES + 10));
  run.feed('alerts', alertAt('b', FIVE_MINUTES - 5));
  await run.advance('10s');
  assert.deepEqual(
    run.read('boards').map(({ start, leaders }) => [start - START, leaders.map((one) => one.device_id)]),
    [
      [0, ['a', 'b']],
      [FIVE_MINUTES, ['a']],
    ],
  );
  await run.advance('10s');
  assert.deepEqual(
    run.read('boards').map(({ start }) => start - START),
    [FIVE_MINUTES],
  );
});

test('an alert for a window that has been shown for the last time goes to the ledger', async () => {
  const run = fed(alertAt('a', FIVE_MINUTES));
  await run.advance('10s');
  run.feed('alerts', alertAt('a', FIVE_MINUTES - 1));
  await run.settle();
  const [entry, ...more] = run.ledger();
  assert.equal(more.length, 0);
  assert.equal(entry?.component, 'leaders');
  assert.match(entry?.detail ?? '', /too late: the window of 2026-01-01T12:00:00.000Z has shown its last leaderboard/);
  run.read('boards');
  await run.advance('10s');
  assert.deepEqual(
    run.read('boards').map(({ start }) => start - START),
    [FIVE_MINUTES],
  );
});

test('the board does not depend on restarts, retries, or who looks on', async () => {
  const alerts = ['a', 'b', 'a', 'c', 'b', 'd', 'a', 'd'].map((device, i) => {
    const alert = alertAt(device, i * 60_000, 2 + i / 10);
    return [alert, alert.timestamp] as const;
  });
  const inputs = [...alerts.slice(0, 3), { advance: '10s' }, ...alerts.slice(3), { advance: '20s' }] as const;
  const { came } = await torture(leaders, { key: 'global', inputs });
  assert.deepEqual(
    came.map(({ value }) => (value as Leaderboard).leaders.map((one) => one.device_id)),
    [
      ['a', 'b'],
      ['b', 'a', 'c'],
      ['d', 'a'],
      ['d', 'a'],
    ],
  );
});
