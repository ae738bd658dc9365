import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../log/faulty-storage.ts';
import { NO_UUID } from '../protocol/fields.ts';
import { FetchSessions } from './fetch-sessions.ts';

const partitions = (first: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    topic: 't',
    topicId: NO_UUID,
    partition: first + n,
    fetchOffset: 0,
    maxBytes: 1,
    currentLeaderEpoch: -1,
    highWatermark: -1,
    logStart: -1,
  }));

test('all sessions together follow so many partitions; who wants more fetches without one', () => {
  const sessions = new FetchSessions(seededRandom(1));
  assert.equal(sessions.of(0, 0, partitions(0, 250_001), [], 0).id, 0);
  const first = sessions.of(0, 0, partitions(0, 100_000), [], 0).id;
  const second = sessions.of(0, 0, partitions(0, 100_000), [], 0).id;
  assert.ok(first > 0 && second > 0);
  assert.equal(sessions.of(0, 0, partitions(0, 100_000), [], 0).id, 0);
  const grow = () => sessions.of(first, 1, partitions(100_000, 60_000), [], 0);
  assert.throws(grow, { code: 'FETCH_SESSION_ID_NOT_FOUND', message: /there is no room for it/ });
  assert.throws(grow, { code: 'FETCH_SESSION_ID_NOT_FOUND', message: /there is no fetch session/ });
  const third = sessions.of(second, 0, partitions(0, 150_000), [], 0).id;
  assert.ok(third > 0, 'what was given up, and what its client has closed, leaves room');
  assert.equal(sessions.of(0, 0, partitions(0, 100_001), [], 0).id, 0);
  assert.ok(sessions.of(third, -1, [], [], 0).id === 0 && sessions.of(0, 0, partitions(0, 250_000), [], 0).id > 0);
});
