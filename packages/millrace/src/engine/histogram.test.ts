import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram } from './histogram.ts';

test('percentiles are within 3 % of the true ones, from nanoseconds to hours', () => {
  for (const scale of [1e-6, 1e-3, 1, 1e3, 3.6e6]) {
    const histogram = new Histogram();
    for (let i = 1; i <= 1000; i++) histogram.record(i * scale);
    const { p50, p90, p99, p999, min, max, count } = histogram.snapshot();
    for (const [got, want] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [p999, 999],
    ] as const) {
      assert.ok(Math.abs(got / (want * scale) - 1) < 0.033, `${got} for ${want * scale}`);
    }
    assert.deepEqual([min, max, count], [scale, 1000 * scale, 1000]);
  }
});

test('a value recorded many times counts as many, and histograms add up', () => {
  const [a, b] = [new Histogram(), new Histogram()];
  a.record(1, 99);
  b.record(50);
  a.add(b);
  const { count, sum, p50, p99, p999 } = a.snapshot();
  assert.equal(count, 100);
  assert.equal(sum, 149);
  assert.ok(p50 < 1.04 && p99 < 1.04 && Math.abs(p999 - 50) < 1.6, `${p50} ${p99} ${p999}`);
});

test('an empty histogram reads as zeros, and a clock that stepped back counts as 0', () => {
  const histogram = new Histogram();
  assert.deepEqual(histogram.snapshot(), { count: 0, sum: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  histogram.record(-5);
  assert.equal(histogram.snapshot().max, 0);
});
