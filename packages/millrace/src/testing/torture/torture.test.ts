import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asyncBolt, bolt, flatMap, map, mapOf, type, value } from '../../index.ts';
import { torture } from '../../testing.ts';

interface Click {
  readonly user: string;
  readonly page: string;
}

const click = (user: string, page = 'p'): Click => ({ user, page });
const byUser = (c: Click) => c.user;
const tenth = (time: number) => Math.floor(time / 10) * 10;

/** Clicks per user in every ten milliseconds. */
const counter = bolt({
  emits: type<{ user: string; from: number; clicks: number }>(),
  state: { clicks: mapOf<number, number>(type<number>()) },
  timers: { report: 'event' },
  prepare: ({ emit, state: { clicks }, timers, watermark, reject }) => ({
    execute({ user }: Click, time: number) {
      const from = tenth(time);
      if (from + 9 <= watermark()) return reject(`${user} at ${time}`, 'late');
      clicks.set(from, (clicks.get(from) ?? 0) + 1);
      timers.report.set(from + 9);
    },
    timer: {
      report(time, key) {
        const from = tenth(time);
        emit({ user: key as string, from, clicks: clicks.get(from)! });
        clicks.delete(from);
      },
    },
  }),
});

const clicks = [
  [click('a'), 1],
  [click('b'), 3],
  [click('a'), 12],
  { watermark: 8 },
  [click('b'), 9],
  [click('a'), 25],
  { watermark: 14 },
  [click('a'), 18],
  [click('b'), 5],
  [click('c'), 15],
  [click('b'), 15],
  { watermark: 40 },
] as const;

test('a counter with timers gives the same in every way, also when clicks come out of order', async () => {
  const { runs, keys, came } = await torture(counter, {
    key: byUser,
    inputs: clicks,
    outOfOrder: 20,
    expected: [
      { user: 'a', from: 0, clicks: 1 },
      { user: 'b', from: 0, clicks: 2 },
      { user: 'a', from: 10, clicks: 2 },
      { user: 'c', from: 10, clicks: 1 },
      { user: 'b', from: 10, clicks: 1 },
      { user: 'a', from: 20, clicks: 1 },
    ],
  });
  assert.ok(runs > 100);
  assert.deepEqual(keys, []);
  assert.deepEqual(
    came.filter(({ stream }) => stream === '(ledger: late)').map(({ key, time }) => [key, time]),
    [['b', 5]],
  );
});

test('deduplication with a time to live', async () => {
  const once = bolt({
    emits: type<string>(),
    state: { seen: value(false, { ttl: { event: 20 } }) },
    prepare: ({ emit, state: { seen } }) => ({
      execute({ user }: Click, time: number) {
        if (seen.get()) return;
        seen.set(true);
        emit(`${user} at ${time}`);
      },
    }),
  });
  const { keys } = await torture(once, {
    key: byUser,
    inputs: [
      [click('a'), 5],
      [click('a'), 6],
      { watermark: 10 },
      [click('b'), 15],
      [click('a'), 24],
      { watermark: 29 },
      [click('a'), 30],
      [click('b'), 31],
      { watermark: 32 },
      [click('b'), 33],
      [click('a'), 34],
      { watermark: 100 },
    ],
    expected: ['a at 5', 'b at 15', 'b at 33', 'a at 34'],
  });
  assert.deepEqual(keys, []);
});

test('sessions by hand, in a value, with timers that move', async () => {
  interface Session {
    readonly from: number;
    readonly last: number;
    readonly clicks: number;
  }
  const gap = 10;
  const sessions = bolt({
    emits: type<Session & { user: string }>(),
    state: { open: value<readonly Session[]>([]) },
    timers: { close: 'event' },
    prepare: ({ emit, state: { open }, timers }) => ({
      execute(_: Click, time: number) {
        const touches = (s: Session) => time < s.last + gap && s.from < time + gap;
        const merged = open.get().filter(touches);
        for (const { last } of merged) timers.close.clear(last + gap - 1);
        const last = Math.max(time, ...merged.map((s) => s.last));
        timers.close.set(last + gap - 1);
        const from = Math.min(time, ...merged.map((s) => s.from));
        const clicks = merged.reduce((sum, s) => sum + s.clicks, 1);
        open.set([...open.get().filter((s) => !touches(s)), { from, last, clicks }]);
      },
      timer: {
        close(time, key) {
          const over = open.get().find((s) => s.last + gap - 1 === time)!;
          emit({ user: key as string, ...over });
          open.set(open.get().filter((s) => s !== over));
          if (open.get().length === 0) open.clear();
        },
      },
    }),
  });
  const { keys } = await torture(sessions, {
    key: byUser,
    outOfOrder: 20,
    inputs: [
      [click('a'), 0],
      [click('b'), 2],
      [click('a'), 9],
      { watermark: 5 },
      [click('a'), 8],
      [click('a'), 15],
      { watermark: 23 },
      [click('b'), 30],
      [click('a'), 40],
      { watermark: 25 },
      [click('a'), 31],
    ],
    expected: [
      { user: 'b', from: 2, last: 2, clicks: 1 },
      { user: 'a', from: 0, last: 15, clicks: 4 },
      { user: 'b', from: 30, last: 30, clicks: 1 },
      { user: 'a', from: 31, last: 40, clicks: 2 },
    ],
  });
  assert.deepEqual(keys, []);
});

test('several inputs by name, several streams, and timers and ticks by the clock', async () => {
  const joining = bolt({
    emits: { pairs: type<string>(), single: type<string>(), ticks: type<number>() },
    state: { left: value(''), right: value('') },
    timers: { give: 'clock' },
    tick: '10s',
    prepare: ({ emit, state: { left, right }, timers, now }) => ({
      execute: {
        left(text: string) {
          left.set(text);
          timers.give.set(now() + 1_500);
        },
        right(text: string) {
          right.set(text);
        },
      },
      timer: {
        give(_, named) {
          const [, key] = named as readonly string[];
          if (left.get() === '') return;
          if (right.get() === '') emit.single(`${key}: ${left.get()}`);
          else emit.pairs(`${key}: ${left.get()} ${right.get()}`);
          left.clear();
          right.clear();
        },
      },
      tick: (time) => emit.ticks(time),
    }),
  });
  const { keys, came } = await torture(joining, {
    key: (text) => ['key', text.slice(0, 1)],
    inputs: [
      ['a 1', 0, 'left'],
      ['a 2', 0, 'right'],
      ['b 1', 0, 'left'],
      { advance: '1s' },
      ['a 3', 0, 'left'],
      { advance: '9s' },
      ['b 4', 0, 'left'],
      { advance: '10s' },
    ],
    expected: { pairs: ['a: a 3 a 2'], single: ['b: b 1', 'b: b 4'], ticks: [10_000, 20_000] },
  });
  assert.deepEqual(keys, []);
  assert.deepEqual(came[0]!.key, ['key', 'a']);
});

test('bolts of one function, without a key', async () => {
  const inputs = [
    [3, 1],
    [1, 2],
    [2, 2],
  ] as const;
  const options = { inputs, outOfOrder: 5, ties: 'unordered' } as const;
  await torture(
    map((n: number) => (n > 1 ? n * 2 : undefined)),
    { ...options, expected: [6, 4] },
  );
  const downTo = flatMap(function* (n: number) {
    for (let i = n; i > 0; i--) yield i;
  });
  await torture(downTo, { ...options, expected: [3, 2, 1, 1, 2, 1] });
});

test('what must be the same may be less than all: of results that replace each other, the last', async () => {
  const running = bolt({
    emits: type<number>(),
    state: { sum: value(0) },
    prepare: ({ emit, state: { sum } }) => ({
      execute(n: number) {
        sum.set(sum.get() + n);
        emit(sum.get(), 0);
      },
    }),
  });
  const options = {
    key: 'global',
    outOfOrder: 5,
    inputs: [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  } as const;
  await assert.rejects(torture(running, options), { code: 'MR_TORTURE', message: /^out of order/ });
  await torture(running, { ...options, same: (came) => came.at(-1)?.value });
});

test('a bolt that keeps no state per key by its kind is refused', async () => {
  const asynchronous = asyncBolt({ concurrency: 1, execute: async (n: number) => n });
  await assert.rejects(torture(asynchronous, { inputs: [[1, 1]] }), { code: 'MR_OPTION', message: /asyncBolt/ });
});
