import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointSettings } from './checkpoint-settings.ts';

test('checkpoints are made ten times a second and three are kept, unless it is said otherwise', () => {
  const { outbox, ...usual } = checkpointSettings('wc');
  assert.deepEqual(usual, { interval: 100, pause: 10, timeout: 60_000, retain: 3 });
  assert.ok(outbox.bytes < outbox.total);
  const own = checkpointSettings('wc', { interval: '10s', pause: 0, timeout: 500, retain: 1 });
  assert.deepEqual([own.interval, own.pause, own.timeout, own.retain], [10_000, 0, 500, 1]);
});

test('what is no such setting is refused, with the topology and what it may be', () => {
  for (const [settings, message] of [
    [{ interval: 'soon' }, /^'wc': checkpoints\.interval is "soon", which is not a duration/],
    [{ interval: 0 }, /checkpoints\.interval is 0, which is not at least 1 ms/],
    [{ pause: -1 }, /checkpoints\.pause is -1/],
    [{ timeout: 0 }, /checkpoints\.timeout is 0/],
    [{ retain: 0 }, /checkpoints\.retain is 0, which is not an integer from 1/],
    [{ retain: 1.5 }, /checkpoints\.retain is 1\.5/],
  ] as const)
    assert.throws(() => checkpointSettings('wc', settings as never), { code: 'MR_OPTION', message });
});
