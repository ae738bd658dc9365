// biome-ignore-all lint/suspicious/noThenProperty: the option's own name; it holds a word, never a function
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BoltOptions, SpoutOptions } from './options.ts';
import { settings } from './options.ts';

test('defaults: what fails is tried again and then goes to the ledger; a sink stops the topology', () => {
  const bolt = settings('b', 'bolt', {});
  assert.deepEqual(bolt, {
    parallelism: 1,
    tick: undefined,
    maxPending: 10_000,
    messageTimeout: 30_000,
    queue: 1024,
    onError: { retries: 3, backoff: 100, exhausted: 'ledger' },
    time: undefined,
  });
  assert.deepEqual(settings('s', 'sink', {}).onError, { retries: 10, backoff: 100, exhausted: 'stop' });
});

test('what is given replaces the defaults, durations in milliseconds', () => {
  const given = settings('b', 'bolt', {
    parallelism: 4,
    tick: '1m30s',
    maxPending: 1,
    messageTimeout: '2h',
    queue: 10_000_000,
    onError: { retries: 0, backoff: 0, exhausted: 'stop' },
  });
  assert.deepEqual(given, {
    parallelism: 4,
    tick: 90_000,
    maxPending: 1,
    messageTimeout: 7_200_000,
    queue: 10_000_000,
    onError: { retries: 0, backoff: 0, exhausted: 'stop' },
    time: undefined,
  });
});

test("the tick given in the topology goes before the bolt's own", () => {
  assert.equal(settings('b', 'bolt', {}, '10s').tick, 10_000);
  assert.equal(settings('b', 'bolt', { tick: '1s' }, '10s').tick, 1000);
});

test('an option out of its range is refused with the component, the option, what arrived and what is allowed', () => {
  const count = 'an integer from 1 to 10000000';
  const duration = "a duration: milliseconds, or text such as '250ms', '10s', '1m30s'";
  const cases: readonly (readonly [SpoutOptions & BoltOptions, string])[] = [
    [{ maxPending: 0 }, `maxPending is 0, which is not ${count}`],
    [{ maxPending: Number.NaN }, `maxPending is NaN, which is not ${count}`],
    [{ queue: 2.5 }, `queue is 2.5, which is not ${count}`],
    [{ queue: '1' as never }, `queue is "1", which is not ${count}`],
    [{ messageTimeout: 0 }, 'messageTimeout is 0, which is not at least 1 ms'],
    [{ messageTimeout: '10 sec' as never }, `messageTimeout is "10 sec", which is not ${duration}`],
    [{ tick: 0 }, 'tick is 0, which is not at least 1 ms'],
    [{ tick: Number.POSITIVE_INFINITY }, `tick is Infinity, which is not ${duration}`],
    [{ onError: { retries: -1 } }, 'onError.retries is -1, which is not an integer from 0 to 1000'],
    [{ onError: { retries: 1001 } }, 'onError.retries is 1001, which is not an integer from 0 to 1000'],
    [{ onError: { backoff: -1 } }, `onError.backoff is -1, which is not ${duration}`],
    [{ onError: { exhausted: 'drop' as never } }, "onError.exhausted is \"drop\", which is not 'ledger' or 'stop'"],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => settings('b', 'bolt', options), { code: 'MR_OPTION', message: `'b': ${message}` });
  }
});

test("event time: a spout's source gives the times, in order, by default; only spouts have it", () => {
  assert.deepEqual(settings('s', 'spout', {}).time, {
    from: undefined,
    outOfOrder: 0,
    watermark: undefined,
    idle: 30_000,
    whenIdle: 'wait',
    align: Infinity,
    ahead: 86_400_000,
  });
  const from = (r: { at: number }) => r.at;
  const watermark = () => ({ record: () => undefined });
  const own = { idle: '5s', whenIdle: 'clock', align: '1m', ahead: 0 } as const;
  const resolved = { idle: 5000, whenIdle: 'clock', align: 60_000, ahead: 0 };
  assert.deepEqual(settings('s', 'spout', { time: { from, outOfOrder: '2s', ...own } }).time, {
    ...resolved,
    from,
    outOfOrder: 2000,
    watermark: undefined,
  });
  assert.deepEqual(settings('s', 'spout', { time: { watermark, ...own } }).time, {
    ...resolved,
    from: undefined,
    outOfOrder: 0,
    watermark,
  });
  assert.equal(settings('s', 'spout', { time: 'ingestion' }).time!.from, 'ingestion');
});

test('event time that makes no sense is refused when the topology is built', () => {
  const duration = "a duration: milliseconds, or text such as '250ms', '10s', '1m30s'";
  const cases: readonly (readonly [unknown, string])[] = [
    [
      'processing',
      `time is "processing", which is not 'ingestion' or an object such as { from: (value) => value.at, outOfOrder: '5s' }`,
    ],
    [
      null,
      `time is null, which is not 'ingestion' or an object such as { from: (value) => value.at, outOfOrder: '5s' }`,
    ],
    [
      { from: 'at' },
      'time.from is "at", which is not a function from the value to its time in milliseconds since 1970',
    ],
    [{ outOfOrder: -1 }, `time.outOfOrder is -1, which is not ${duration}`],
    [{ watermark: 5 }, 'time.watermark is 5, which is not a function that makes a watermark generator'],
    [
      { watermark: () => {}, outOfOrder: 5 },
      'time.outOfOrder is 5, which is not allowed together with time.watermark: give one of the two',
    ],
    [{ idle: 0 }, 'time.idle is 0, which is not at least 1 ms'],
    [{ whenIdle: 'stop' }, `time.whenIdle is "stop", which is not 'wait' or 'clock'`],
    [{ align: 0 }, 'time.align is 0, which is not at least 1 ms'],
    [{ ahead: Infinity }, `time.ahead is Infinity, which is not ${duration}`],
  ];
  for (const [time, message] of cases) {
    assert.throws(() => settings('s', 'spout', { time: time as never }), {
      code: 'MR_OPTION',
      message: `'s': ${message}`,
    });
  }
});
