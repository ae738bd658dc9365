/** How checkpoints are shown: of a running topology, and of one that has stopped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { CheckpointStatus } from '../../engine/running.ts';
import type { KeptCheckpoint } from '../api.ts';
import { checkpointLines } from './checkpoints-command.ts';
import { statusLines } from './control-command.ts';

const none = { count: 0, sum: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
const at = Date.UTC(2026, 0, 31, 12);
const kept: KeptCheckpoint = {
  checkpoint: '3.17',
  at,
  parent: '3.16',
  finished: false,
  bytes: 1234,
  keys: 56,
  outputs: { out: 7, more: 1 },
  sources: {},
};
const status: CheckpointStatus = {
  interval: 100,
  incarnation: 3,
  restored: { incarnation: 2, number: 9 },
  last: { epoch: { incarnation: 3, number: 17 }, at, took: 12.4, bytes: 1234, keys: 56 },
  current: undefined,
  completed: 1017,
  failed: 0,
  took: { ...none, count: 17, p50: 4, p99: 12, max: 40 },
  unpublished: { epochs: 0, bytes: 0 },
};
const lines = (of: Parameters<typeof checkpointLines>[0]) =>
  checkpointLines(of, at + 1500).map(stripVTControlCharacters);

test('those that are kept are listed with their age, size and outputs', () => {
  assert.deepEqual(lines({ topology: 'demo', kept: [kept] }), [
    'demo does not run',
    'CHECKPOINT  TIME                      AGE    SIZE  KEYS  OUTPUTS',
    '3.17        2026-01-31T12:00:00.000Z   1s  1.2 kB    56        8',
  ]);
  assert.match(lines({ topology: 'demo', kept: [{ ...kept, finished: true }] }).at(-1)!, /begins anew\.$/);
  assert.equal(
    lines({ topology: 'demo', kept: [kept], problem: 'damaged' }).at(-1),
    'The next start is refused: damaged',
  );
});

test('of a running topology it is said how long they take, and whom the one under way waits for', () => {
  const quiet = lines({ topology: 'demo', kept: [kept], status });
  assert.equal(quiet[0], 'demo makes a checkpoint every 100ms');
  assert.deepEqual(quiet.slice(3), [
    'since its start from 2.9: 1 017 checkpoints, 0 failed',
    'from begin to durable: p50 4.00 ms, p99 12.0 ms, at most 40.0 ms',
  ]);
  const current = { number: 18, since: 5000, waitsFor: ['a 0', 'b 0', 'b 1', 'b 2', 'b 3', 'b 4', 'b 5'] };
  const busy = lines({
    topology: 'demo',
    kept: [],
    status: { ...status, restored: undefined, took: none, current, unpublished: { epochs: 2, bytes: 4000 } },
  });
  assert.deepEqual(busy.slice(1), [
    'none is kept yet',
    'since its start: 1 017 checkpoints, 0 failed',
    'under way for 5s, waiting for a 0, b 0, b 1, b 2, b 3 and 2 more',
    '2 epochs (4.0 kB) wait to be published',
  ]);
});

test('the status has the last checkpoint, and what is unusual about them', () => {
  const limits = [{ why: 'x', remedy: 'y' }];
  const path = { spout: 'a', components: [], limits: [] };
  const receipt = {
    topology: 'demo',
    asked: undefined,
    keeps: 'checkpoints',
    paths: [
      { ...path, end: 'b', guarantee: 'exactly-once' },
      { ...path, end: 'c', guarantee: 'convergent', limits },
      { ...path, end: 'd', guarantee: 'exactly-once' },
    ],
  } as const;
  const metrics = { topology: 'demo', state: 'active', uptime: 1000, components: [] } as const;
  const shown = (checkpoints?: CheckpointStatus) =>
    statusLines({ pid: 1, data: '/d', receipt, metrics, ...(checkpoints ? { checkpoints } : {}) }, at + 30);
  assert.match(shown()[0]!, /^demo is active for 1s · exactly-once, convergent · process 1/);
  assert.equal(shown()[1], '');
  const usual = { number: 18, since: 1000, waitsFor: [] };
  assert.equal(shown({ ...status, current: usual })[1], 'checkpoint 3.17 30ms ago, in 12.4 ms');
  const current = { number: 18, since: 1001, waitsFor: [] };
  const bad = { ...status, last: undefined, failed: 2, current, unpublished: { epochs: 3, bytes: 5000 } };
  assert.equal(
    shown(bad)[1],
    'no checkpoint yet · the next under way for 1s · 2 checkpoints failed · 3 epochs (5.0 kB) unpublished',
  );
});
