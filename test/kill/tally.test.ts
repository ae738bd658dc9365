import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from './tally.ts';

const verdict = (n: number, seen = n, device_id = 'a') => ({ device_id, n, seen, alert: n % 2 === 0 });

test('what comes in order, per device, is neither lost nor doubled', () => {
  const tally = new Tally();
  for (const n of [1, 2, 3]) for (const device of ['a', 'b']) tally.take(verdict(n, n, device));
  assert.deepEqual([tally.seen, tally.overtaken, tally.doubled, [...tally.alerts]], [6, 0, 0, ['a 2', 'b 2']]);
});

test('a gap is a loss until it is filled', () => {
  const tally = new Tally();
  for (const n of [1, 4, 5]) tally.take(verdict(n));
  assert.deepEqual([tally.seen, tally.overtaken], [3, 2]);
  for (const n of [3, 2]) tally.take(verdict(n));
  assert.deepEqual([tally.seen, tally.overtaken, tally.doubled], [5, 0, 0]);
});

test('what comes again is doubled, and so is what the job has counted more often than it was sent', () => {
  const tally = new Tally();
  for (const n of [1, 2, 4, 2, 4]) tally.take(verdict(n));
  tally.take(verdict(3, 4));
  assert.deepEqual([tally.seen, tally.overtaken, tally.doubled], [4, 0, 3]);
});
