/** The bolts of this example through `torture`: one result, however late the readings come and whatever else happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { torture } from 'millrace/testing';
import { detect } from './detect.ts';
import { leaders } from './leaders.ts';
import type { Alert, Reading } from './readings.ts';

const reading = (device_id: string, value: number, timestamp: number): Reading => ({ device_id, timestamp, value });

/** Two devices, a reading a second each, up to three seconds out of order; one of them jumps, one reading is late. */
const inputs = Array.from({ length: 14 }, (_, i) => {
  const time = 60_000 + 1000 * (i % 3 === 1 ? i + 2 : i % 3 === 2 ? i - 1 : i);
  const [a, b] = [reading('a', i === 10 ? 90 : 20 + (i % 4), time), reading('b', 20 + i, time)] as const;
  return [[a, time], [b, time], ...(i % 4 === 3 ? [{ watermark: time - 5000 }] : [])] as const;
}).flat();

test('readings are judged in their order', async () => {
  const late = [{ watermark: 70_000 }, [reading('a', 0, 61_000), 61_000], { watermark: 100_000 }] as const;
  const { came, keys } = await torture(detect, {
    key: (r) => r.device_id,
    inputs: [...inputs, ...late],
    outOfOrder: '5s',
    rounds: 10,
  });
  assert.deepEqual(
    came.filter(({ stream }) => stream === 'alerts').map(({ value }) => (value as Alert).value),
    [90],
  );
  assert.equal(came.filter(({ stream }) => stream === '(ledger: late)').length, 1);
  assert.deepEqual(keys, []);
});

test('the leaderboard is the same, early and at the end of its five minutes', async () => {
  const alert = (device_id: string, z_score: number, timestamp: number): Alert => {
    const window = { window_mean: 0, window_std: 1, alert_time: 0, last_readings: [] };
    return { ...reading(device_id, 1, timestamp), z_score, ...window };
  };
  const alerts = ['a', 'b', 'a', 'c', 'd', 'b', 'a', 'd'].map((device, i) => {
    const time = 280_000 + (i % 2 === 0 ? i + 2 : i - 1) * 5_000;
    return [alert(device, 2 + i / 10, time), time] as const;
  });
  const { came, keys } = await torture(leaders, {
    key: 'global',
    inputs: [...alerts.slice(0, 4), { advance: '10s' }, ...alerts.slice(4), { advance: '10s' }, { watermark: 400_000 }],
    rounds: 10,
  });
  const boards = came.map(({ value }) => value as { timing: string; start: number });
  assert.deepEqual(
    boards.filter(({ timing }) => timing === 'on time').map(({ start }) => start),
    [0, 300_000],
  );
  assert.ok(boards.some(({ timing }) => timing === 'early'));
  assert.deepEqual(keys, []);
});
