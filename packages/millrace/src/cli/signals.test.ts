import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onSignals } from './signals.ts';

test('the first signal drains, its echo within a moment is ignored, a later one leaves', () => {
  let now = 1000;
  const before = process.listenerCount('SIGINT');
  const did: string[] = [];
  const clock = { now: () => now, monotonic: () => now };
  const remove = onSignals(
    clock,
    () => did.push('drain'),
    () => did.push('leave'),
  );
  process.emit('SIGINT');
  now += 20;
  process.emit('SIGINT');
  assert.deepEqual(did, ['drain']);
  now += 200;
  process.emit('SIGTERM');
  assert.deepEqual(did, ['drain', 'leave']);
  remove();
  assert.equal(process.listenerCount('SIGINT'), before);
});
