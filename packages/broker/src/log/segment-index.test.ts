import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SegmentIndex } from './segment-index.ts';

function filled(entries: number): SegmentIndex {
  const index = new SegmentIndex();
  for (let n = 1; n <= entries; n++) {
    index.addOffset(n * 10, n * 5000);
    index.addTime(1000 + n * 100, n * 10 + 9);
  }
  return index;
}

test('an offset is looked up at the last entry that is not after it', () => {
  const index = filled(100);
  assert.equal(index.positionFor(9), 0);
  assert.equal(index.positionFor(10), 5000);
  assert.equal(index.positionFor(19), 5000);
  assert.equal(index.positionFor(505), 250_000);
  assert.equal(index.positionFor(99_999), 500_000);
});

test('a time is looked up behind the last entry that is before it', () => {
  const index = filled(100);
  assert.equal(index.offsetForTime(1100), 0);
  assert.equal(index.offsetForTime(1101), 20);
  assert.equal(index.offsetForTime(99_999), 1010);
});

test('the files hold Kafka’s entries, and what is loaded from them answers alike', () => {
  const { offsets, times } = filled(3).files();
  assert.deepEqual([offsets.length, offsets.readInt32BE(8), offsets.readInt32BE(12)], [24, 20, 10_000]);
  assert.deepEqual([times.length, times.readBigInt64BE(12), times.readInt32BE(20)], [36, 1200n, 29]);
  const loaded = new SegmentIndex();
  assert.ok(loaded.load(offsets, times, 2 ** 31));
  assert.equal(loaded.positionFor(25), 10_000);
  assert.equal(loaded.maxTimestamp, 1300);
});

test('only entries below the known offset are taken', () => {
  const { offsets, times } = filled(3).files();
  const loaded = new SegmentIndex();
  assert.ok(loaded.load(offsets, times, 20));
  assert.equal(loaded.positionFor(99), 5000);
  assert.equal(loaded.maxTimestamp, 1100);
});

test('files that do not grow, as after a power cut, are refused whole', () => {
  for (const damaged of ['offsets', 'times'] as const) {
    const files = filled(100).files();
    files[damaged].fill(0, 600, 720);
    const loaded = new SegmentIndex();
    assert.equal(loaded.load(files.offsets, files.times, 2 ** 31), false);
    assert.equal(loaded.positionFor(99), 0);
    assert.equal(loaded.maxTimestamp, -1);
  }
});
