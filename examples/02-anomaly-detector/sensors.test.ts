import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEVICES, measurements } from './sensors.ts';

function take(count: number, seed: number) {
  const source = measurements(seed);
  return Array.from({ length: count }, () => source.next().value);
}

test('the same seed gives the same values, another seed others', () => {
  assert.deepEqual(take(1000, 1), take(1000, 1));
  const same = take(1000, 1).filter(({ value }, i) => value === take(1000, 2)[i]!.value);
  assert.ok(same.length < 100, `${same.length} of 1000 values are the same`);
});

test('five devices measure in turns', () => {
  assert.equal(DEVICES.length, 5);
  const devices = take(10, 1).map((one) => one.device_id);
  assert.deepEqual(devices, [...DEVICES, ...DEVICES]);
});

test('values are within 50 ± 5, and one in twenty is 20 to 50 above that', () => {
  for (const seed of [1, 2, 3, 4]) {
    const values = take(100_000, seed).map((one) => one.value);
    const usual = values.filter((value) => value >= 45 && value <= 55);
    const anomalies = values.filter((value) => value >= 65 && value <= 105);
    assert.equal(usual.length + anomalies.length, values.length);
    const share = anomalies.length / values.length;
    assert.ok(share > 0.047 && share < 0.053, `seed ${seed}: ${share}`);
    const mean = usual.reduce((sum, value) => sum + value, 0) / usual.length;
    assert.ok(mean > 49.9 && mean < 50.1, `seed ${seed}: ${mean}`);
    const highest = Math.max(...anomalies);
    assert.ok(highest > 103, `seed ${seed}: ${highest}`);
  }
});
