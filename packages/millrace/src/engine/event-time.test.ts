import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bolt, Stream, TopologyBuilder, Tuple } from '../index.ts';
import { asyncBolt, bolt, flatMap, manualBolt, spout, topology, type, value } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';
import { testRun } from '../testing/test-run.ts';

const source = spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) });

/** Writes down what came, in order: `n@time`, `timer n`, `watermark`. A value n sets a timer n later than itself. */
const recorder = () =>
  bolt({
    emits: type<string>(),
    timers: { later: 'event' },
    prepare: ({ emit, timers }) => ({
      execute(n: number, time: number) {
        emit(`${n}@${time}`);
        timers.later.set(time + n);
      },
      timer: {
        later: (time) => emit(`timer ${time}`),
      },
      watermark: (time: number) => emit(`watermark ${time}`),
    }),
  });

/** One source, the bolt under test, and a recorder behind it. */
function behind(under: (b: TopologyBuilder, input: Stream<number>) => Stream<number>) {
  return testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      return { input, out: b.bolt('recorder', under(b, input).global(), recorder()) };
    }),
  );
}

test('event timers are told when the watermark comes to them: by time, then by when they were set, before the watermark', async () => {
  const run = behind((_, input) => input);
  run.feed('input', 30, 0);
  run.feed('input', 10, 10);
  run.feed('input', 20, 10);
  await run.watermark(19);
  assert.deepEqual(run.read('out'), ['30@0', '10@10', '20@10', 'watermark 19']);
  await run.watermark(30);
  assert.deepEqual(run.read('out'), ['timer 20', 'timer 30', 'watermark 30']);
});

test('a timer that is due when it is set is told right after the step that set it', async () => {
  const run = behind((_, input) => input);
  await run.watermark(100);
  run.feed('input', 10, 50);
  assert.deepEqual(run.read('out'), ['watermark 100', '10@50', 'timer 60']);
});

test('the event time of a task is the least of its inputs, and never goes back', async () => {
  const run = testRun(
    topology('t', (b) => {
      const [a, c] = [b.spout('a', source), b.spout('c', source)];
      const both = b.bolt(
        'both',
        { a: a.shuffle(), c: c.shuffle() },
        bolt({
          emits: type<number>(),
          prepare: ({ emit }) => ({ execute: { a: () => {}, c: () => {} }, watermark: (time: number) => emit(time) }),
        }),
      );
      return { a, c, both };
    }),
  );
  await run.watermark(50, 'a');
  assert.deepEqual(run.read('both'), []);
  await run.watermark(20, 'c');
  await run.watermark(10, 'c');
  await run.watermark(70, 'c');
  await run.watermark(60, 'a');
  assert.deepEqual(run.read('both'), [20, 50, 60]);
});

test('a watermark waits for an input that is retried, and what comes behind it waits, too', async () => {
  let tries = 0;
  const flaky = bolt({
    emits: type<number>(),
    prepare: ({ emit }) => ({
      execute(n: number) {
        if (n === 1 && tries++ < 2) throw new Error('not yet');
        emit(n);
      },
    }),
  });
  const run = behind((b, input) =>
    b.bolt(
      'flaky',
      input.keyBy((n) => n),
      flaky,
      { onError: { backoff: '10ms' } },
    ),
  );
  run.feed('input', 1, 1);
  run.feed('input', 2, 2);
  await run.watermark(5);
  run.feed('input', 3, 7);
  assert.deepEqual(run.read('out'), ['2@2']);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), ['1@1', 'timer 2', 'timer 4', 'watermark 5', '3@7']);
});

const sleeps: readonly [string, Bolt<(n: number) => void, Stream<number>, 'no key'>][] = (
  ['ordered', 'perKey', 'unordered'] as const
).map((order) => [
  order,
  asyncBolt({
    concurrency: 8,
    order,
    execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 1000 / n)),
  }),
]);
for (const [order, sleeping] of sleeps)
  test(`asynchronous, ${order}: a watermark goes on between the results of those before and behind it`, async () => {
    const run = behind((b, input) =>
      b.bolt(
        'sleeping',
        input.keyBy((n) => n),
        sleeping,
      ),
    );
    run.feed('input', 1, 10);
    run.feed('input', 2, 10);
    await run.watermark(10);
    run.feed('input', 5, 20);
    await run.watermark(20);
    await run.watermark(30);
    await run.advance('600ms');
    assert.deepEqual(run.read('out'), order === 'ordered' ? [] : ['2@10']);
    await run.advance('1s');
    const first = order === 'ordered' ? ['1@10', '2@10'] : ['1@10'];
    assert.deepEqual(run.read('out'), [
      ...first,
      'watermark 10',
      '5@20',
      'timer 11',
      'timer 12',
      'timer 25',
      'watermark 30',
    ]);
  });

test('manual: a watermark waits until what came before it is acked or failed', async () => {
  const held: Tuple<number>[] = [];
  const holding = manualBolt({
    emits: type<number>(),
    tick: '1s',
    prepare: ({ emit, ack }) => ({
      execute: (tuple: Tuple<number>) => void held.push(tuple),
      tick() {
        const tuple = held.shift();
        if (tuple === undefined) return;
        ack(tuple);
        emit(tuple.value, [tuple]);
      },
      flush: () => {},
    }),
  });
  const run = behind((b, input) => b.bolt('holding', input.shuffle(), holding));
  run.feed('input', 1, 1);
  run.feed('input', 9, 2);
  await run.watermark(5);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), ['1@1']);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), ['9@2', 'timer 2', 'watermark 5']);
});

test('a watermark waits for the rest of a generator that waits for room', async () => {
  let took = 0;
  const slow = asyncBolt({
    concurrency: 1,
    execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 10)),
  });
  const run = behind((b, input) => {
    const many = b.bolt(
      'many',
      input.shuffle(),
      flatMap(function* (n: number) {
        for (let i = 1; i <= n; i++) yield ++took;
      }),
    );
    return b.bolt('slow', many.shuffle(), slow, { queue: 1 });
  });
  run.feed('input', 5, 0);
  await run.watermark(100);
  run.feed('input', 1, 200);
  assert.ok(took < 5);
  await run.advance('1s');
  const out = run.read('out');
  assert.deepEqual(out.slice(0, 5), ['1@0', '2@0', '3@0', '4@0', '5@0']);
  assert.deepEqual(out.slice(-2), ['watermark 100', '6@200']);
});

test('timers wait for room downstream: nothing is told ahead of it, and nothing is lost', async () => {
  const alarms = bolt({
    emits: type<number>(),
    timers: { alarm: 'event' },
    prepare: ({ emit, timers }) => ({
      execute: (n: number) => timers.alarm.set(n),
      timer: { alarm: (time) => emit(time) },
    }),
  });
  const slow = asyncBolt({
    concurrency: 1,
    execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 10)),
  });
  const run = behind((b, input) =>
    b.bolt('slow', b.bolt('alarms', input.global(), alarms).shuffle(), slow, { queue: 3 }),
  );
  for (let n = 1; n <= 50; n++) run.feed('input', n, n);
  await run.watermark(1000);
  run.feed('input', 2000, 2000);
  assert.ok(run.metrics('alarms').streams[0]!.emitted <= 4);
  assert.equal(run.metrics('alarms').executed, 50);
  await run.advance('1s');
  assert.equal(run.metrics('alarms').executed, 51);
  const out = run.read('out');
  assert.deepEqual(
    out.slice(0, 50),
    Array.from({ length: 50 }, (_, i) => `${i + 1}@${i + 1}`),
  );
  assert.equal(out.at(-1), 'watermark 1000');
});

test('what is retried waits until the timers that are due have been told, however full the queues downstream are', async () => {
  let failures = 1;
  const due = bolt({
    emits: type<string>(),
    timers: { due: 'event' },
    prepare: ({ emit, timers }) => ({
      execute(n: number) {
        if (failures-- > 0) throw new Error('not yet');
        emit(`${n}`);
        if (n === 1) for (const time of [10, 20, 30]) timers.due.set(time);
      },
      timer: { due: (time) => emit(`timer ${time}`) },
    }),
  });
  const slow = asyncBolt({
    concurrency: 1,
    execute: (text: string) => new Promise<string>((resolve) => setTimeout(() => resolve(text), 10)),
  });
  const run = testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      const given = b.bolt(
        'due',
        input.keyBy(() => 'k'),
        due,
        { onError: { backoff: '5ms' } },
      );
      return { input, out: b.bolt('slow', given.shuffle(), slow, { queue: 1 }) };
    }),
  );
  await run.watermark(100);
  for (const n of [1, 2, 3]) run.feed('input', n, 200);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), ['1', 'timer 10', 'timer 20', 'timer 30', '2', '3']);
});

const counting = bolt({
  emits: type<string>(),
  state: { sum: value(0) },
  timers: { close: 'event' },
  prepare: ({ emit, state, timers }) => ({
    execute(n: number) {
      state.sum.set(state.sum.get() + n);
      timers.close.set(100);
    },
    timer: {
      close(_time, key) {
        const sum = state.sum.get();
        state.sum.clear();
        emit(`${key}: ${sum}`);
        if (sum === 13) throw new Error('unlucky');
      },
    },
  }),
});

test('a timer whose handler throws is undone and told again; given up, it goes to the ledger and the flow goes on', async () => {
  const run = testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      const options = { onError: { retries: 2, backoff: '1s' } } as const;
      return {
        input,
        out: b.bolt(
          'sums',
          input.keyBy((n) => n % 2),
          counting,
          options,
        ),
      };
    }),
  );
  run.feed('input', 13, 0);
  run.feed('input', 4, 0);
  await run.watermark(100);
  assert.deepEqual(run.read('out'), []);
  run.feed('input', 1, 200);
  await run.advance('10s');
  assert.deepEqual(run.read('out'), ['0: 4', '1: 14']);
  const [entry] = run.ledger();
  assert.equal(entry?.component, 'sums');
  assert.equal(entry?.payload, null);
  assert.match(entry?.detail ?? '', /unlucky.*timer 'close' of 1970-01-01T00:00:00.100Z, key 1/);
});

test('timers by the clock are told by the clock, unless they are cleared', async () => {
  const reminding = bolt({
    emits: type<string>(),
    timers: { remind: 'clock' },
    prepare: ({ emit, timers, now }) => ({
      execute(n: number) {
        if (n < 0) timers.remind.clear(-n);
        else timers.remind.set(n);
      },
      timer: { remind: (time, key) => emit(`${key} ${time} ${now()}`) },
    }),
  });
  const run = testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      return {
        input,
        out: b.bolt(
          'reminding',
          input.keyBy((n) => Math.abs(n) % 10),
          reminding,
        ),
      };
    }),
  );
  for (const n of [3001, 1001, 2001, -2001, 1001]) run.feed('input', n, 0);
  await run.watermark(9000);
  assert.deepEqual(run.read('out'), []);
  await run.advance('2s');
  run.feed('input', 1502, 0);
  await run.advance('2s');
  assert.deepEqual(run.read('out'), ['1 1001 1001', '2 1502 2000', '1 3001 3001']);
});

test('a rejected input is in the ledger, done, and nothing else of its step is undone', async () => {
  const rejecting = bolt({
    emits: type<number>(),
    prepare: ({ emit, reject, watermark }) => ({
      execute(n: number, time: number) {
        if (time <= watermark()) reject(`${time} is behind ${watermark()}`, 'late');
        else emit(n);
      },
    }),
  });
  const run = testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      return { input, out: b.bolt('rejecting', input.shuffle(), rejecting) };
    }),
  );
  await run.watermark(10);
  run.feed('input', 1, 10);
  run.feed('input', 2, 11);
  await run.settle();
  assert.deepEqual(run.read('out'), [2]);
  assert.deepEqual(
    run.ledger().map(({ cause, detail, time }) => [cause, detail, time]),
    [['late', '10 is behind 10', 10]],
  );
  assert.deepEqual([run.acked, run.failed], [2, 0]);
});

function bounded(stays: boolean) {
  const out: string[] = [];
  const numbers = new ArraySource(type<number>(), { a: [5, 1, 2], b: [7] }, stays);
  const writing = bolt({ prepare: () => ({ execute: (text: string) => void out.push(text) }) });
  const t = topology('t', (b) => {
    const input = b.spout('in', numbers.spout);
    b.bolt('out', b.bolt('recorder', input.global(), recorder()).shuffle(), writing);
  });
  return { t, out };
}

test('the end of a bounded input is the end of time: all timers are told, and then the topology completes', async () => {
  const { t, out } = bounded(false);
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.equal(running.state, 'completed');
  assert.deepEqual(out.slice(-1), ['watermark Infinity']);
  const timers = out.filter((text) => text.startsWith('timer'));
  assert.equal(timers.length, 4);
});

test('a stop does not advance time: timers that are not due are not told', async () => {
  const { t, out } = bounded(true);
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  await runtime.until(runtime.within(() => running.stop()));
  assert.equal(running.state, 'stopped');
  assert.equal(out.filter((text) => text.includes('@')).length, 4);
  assert.ok(!out.includes('watermark Infinity'));
});

test('a stop that drains lets event time go to its end: all timers are told, and then the topology stops', async () => {
  const { t, out } = bounded(true);
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  await runtime.until(runtime.within(() => running.stop({ drain: true })));
  assert.equal(running.state, 'stopped');
  assert.equal(out.filter((text) => text.startsWith('timer')).length, 4);
  assert.equal(out.at(-1), 'watermark Infinity');
});

test('a tick overtakes neither an input that is retried nor the timers of a watermark', async () => {
  let tries = 0;
  const ticking = bolt({
    emits: type<string>(),
    timers: { due: 'event' },
    tick: '50ms',
    prepare: ({ emit, timers }) => ({
      execute(n: number, time: number) {
        if (n === 1 && tries++ < 2) throw new Error('not yet');
        timers.due.set(time);
        emit(`${n}`);
      },
      timer: { due: (time) => emit(`timer ${time}`) },
      tick: (time: number) => emit(`tick ${time}`),
    }),
  });
  const run = testRun(
    topology('t', (b) => {
      const input = b.spout('in', source);
      const options = { onError: { backoff: '100ms' } } as const;
      return {
        input,
        out: b.bolt(
          'ticking',
          input.keyBy((n) => n),
          ticking,
          options,
        ),
      };
    }),
  );
  run.feed('input', 1, 1);
  await run.watermark(5);
  await run.advance('210ms');
  run.feed('input', 2, 7);
  assert.deepEqual(run.read('out'), []);
  await run.advance('100ms');
  assert.deepEqual(run.read('out'), ['1', 'timer 1', 'tick 200', '2', 'tick 300']);
});

test('a record that comes back from the ledger to its spout is asked for its time anew', async () => {
  let isFixed = false;
  const out: string[] = [];
  const numbers = new ArraySource(type<number>(), { a: [13, 20] }, true);
  const from = (n: number) => {
    if (n === 13 && !isFixed) throw new Error('unlucky');
    return 10 * n;
  };
  const t = topology('t', (b) => {
    const input = b.spout('in', numbers.spout, { time: { from } });
    const writing = bolt({ prepare: () => ({ execute: (n: number, time: number) => void out.push(`${n}@${time}`) }) });
    b.bolt('out', input.shuffle(), writing);
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.settle();
  const [entry] = ledger.list();
  assert.equal(entry?.cause, 'time');
  const again = () => runtime.until(runtime.within(() => running.replay('in', undefined, 13, entry!.time)));
  await assert.rejects(again(), /lost again at 'in'.*unlucky/);
  isFixed = true;
  await again();
  assert.deepEqual(out, ['20@200', '13@130']);
});
