import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bolt, list, spout, topology, type, value } from '../index.ts';
import { testRun } from '../testing.ts';

interface Event {
  key: string;
  n: number;
}
const never = spout({ emits: type<Event>(), open: () => ({ nextTuple: () => false }) });
const event = (key: string, n: number): Event => ({ key, n });

/** Throws `times` times for each n in `poison`, after having emitted and written to its state. */
function flaky(poison: ReadonlySet<number>, times: number) {
  const thrown = new Map<number, number>();
  return bolt({
    emits: { out: type<[string, number, number]>(), seen: type<number>() },
    state: { sum: value(0), all: list(type<number>()) },
    prepare: ({ emit, state }) => ({
      execute(e: Event) {
        state.sum.set(state.sum.get() + e.n);
        state.all.append(e.n);
        emit.out([e.key, e.n, state.sum.get()]);
        emit.seen(state.all.get().length);
        const so = thrown.get(e.n) ?? 0;
        if (poison.has(e.n) && so < times) {
          thrown.set(e.n, so + 1);
          throw new Error(`cannot take ${e.n}`);
        }
      },
    }),
  });
}

const flakyTopology = (poison: readonly number[], times: number, retries = 3) =>
  topology('flaky', (t) => {
    const raw = t.spout('raw', never);
    const { out, seen } = t.bolt('flaky', raw.fields('key'), flaky(new Set(poison), times), {
      onError: { retries, backoff: '1s' },
    });
    return { raw, out, seen };
  });

test('what a failed execute emitted and wrote is undone before its retry (law 1)', async () => {
  const run = testRun(flakyTopology([2], 2));
  for (const n of [1, 2]) run.feed('raw', event('a', n));
  assert.deepEqual(run.read('out'), [['a', 1, 1]], 'nothing of the failed try came out');
  assert.equal(run.acked, 1, 'the failed one is still open');
  await run.advance('1s');
  assert.deepEqual(run.read('out'), [], 'the second try failed as well');
  await run.advance('2s');
  assert.deepEqual(run.read('out'), [['a', 2, 3]], 'backoff doubles; the sum counts the input once');
  assert.deepEqual(run.read('seen'), [1, 2]);
  assert.deepEqual([run.acked, run.failed], [2, 0]);
  assert.equal(run.metrics('flaky').errors, 2);
});

test('a retry holds back its own key and no other (law 2)', async () => {
  const run = testRun(flakyTopology([1], 1));
  for (const e of [event('a', 1), event('b', 10), event('a', 2), event('a', 3)]) run.feed('raw', e);
  assert.deepEqual(run.read('out'), [['b', 10, 10]]);
  assert.equal(run.metrics('flaky').queued, 3);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), [
    ['a', 1, 1],
    ['a', 2, 3],
    ['a', 3, 6],
  ]);
  assert.equal(run.metrics('flaky').queued, 0);
});

test('when the retries are used up the input goes to the ledger, with place, value and cause, and the next has its turn', async () => {
  const run = testRun(flakyTopology([1], 100, 2));
  run.feed('raw', event('a', 1), 777);
  run.feed('raw', event('a', 2));
  await run.advance('10s');
  assert.deepEqual(run.read('out'), [['a', 2, 2]]);
  const [entry, ...more] = run.ledger();
  assert.equal(more.length, 0);
  assert.equal(entry!.component, 'flaky');
  assert.equal(entry!.cause, 'error');
  assert.equal(entry!.time, 777);
  assert.match(entry!.detail, /'flaky' task 0 failed: cannot take 1 \(value: { key: 'a', n: 1 }\)/);
  assert.deepEqual([run.acked, run.failed], [2, 0], 'in the ledger is done');
  const { errors, failed, ledgered } = run.metrics('flaky');
  assert.deepEqual([errors, failed, ledgered], [3, 1, 1]);
});

test("a policy of 'stop' stops the topology, and the error names component, task and value", async () => {
  const stopping = topology('stopping', (t) => {
    const raw = t.spout('raw', never);
    t.bolt(
      'strict',
      raw.shuffle(),
      (e) => {
        if (e.n < 0) throw new RangeError('negative');
      },
      { onError: { retries: 0, exhausted: 'stop' } },
    );
    return { raw };
  });
  const run = testRun(stopping);
  run.feed('raw', event('a', 1));
  assert.throws(() => run.feed('raw', event('a', -1)), {
    code: 'MR_USER_CODE',
    message: "'strict' task 0 failed: negative (value: { key: 'a', n: -1 })",
  });
});

test('a value without a key goes to the ledger and the flow goes on', async () => {
  const keyed = topology('keyed', (t) => {
    const raw = t.spout('raw', never);
    const one = t.bolt(
      'one',
      raw.keyBy((e) => e.key),
      (e) => e.n,
    );
    const two = t.bolt(
      'two',
      raw.keyBy((e) => (e as unknown as { deep: { key: string } }).deep.key),
      (e) => e.n,
    );
    return { raw, one, two };
  });
  const run = testRun(keyed);
  run.feed('raw', { key: null as unknown as string, n: 1 });
  run.feed('raw', event('a', 2));
  await run.settle();
  assert.deepEqual(run.read('one'), [2]);
  assert.deepEqual(run.read('two'), []);
  assert.deepEqual(
    run.ledger().map((e) => [e.component, e.cause]),
    [
      ['one', 'key'],
      ['two', 'key'],
      ['two', 'key'],
    ],
  );
  assert.match(run.ledger()[0]!.detail, /null cannot be a key/);
});

test('state is per key, a list that was handed out never changes, and a tick has no key', async () => {
  const handed: (readonly number[])[] = [];
  const keeper = bolt({
    emits: type<string>(),
    state: { all: list(type<number>()) },
    tick: '1s',
    prepare: ({ emit, state }) => ({
      execute(e: Event) {
        handed.push(state.all.get());
        state.all.append(e.n);
      },
      tick() {
        emit(`never ${state.all.get()}`);
      },
    }),
  });
  const run = testRun(
    topology('keeper', (t) => {
      const raw = t.spout('raw', never);
      return { raw, out: t.bolt('keeper', raw.fields('key'), keeper) };
    }),
  );
  for (const e of [event('a', 1), event('b', 5), event('a', 2), event('a', 3)]) run.feed('raw', e);
  assert.deepEqual(handed, [[], [], [1], [1, 2]]);
  await run.advance('1s');
  assert.deepEqual(run.read('out'), []);
  assert.match(run.log.at(-1)!, /used state.all where there is no current key/);
});

test('emitting outside of a step is refused, and so is a promise from a synchronous bolt', async () => {
  let kept: ((n: number) => void) | undefined;
  const leaky = bolt({
    emits: type<number>(),
    prepare: ({ emit }) => {
      kept = emit;
      return { execute: (_: Event) => {} };
    },
  });
  const run = testRun(
    topology('leaky', (t) => {
      const raw = t.spout('raw', never);
      const out = t.bolt('leaky', raw.shuffle(), leaky);
      const promising = bolt({ prepare: () => ({ execute: (async () => {}) as unknown as (e: Event) => void }) });
      t.bolt('promising', raw.shuffle(), promising, { onError: { retries: 0 } });
      return { raw, out };
    }),
  );
  assert.throws(() => kept!(1), { code: 'MR_EMIT_OUTSIDE' });
  run.feed('raw', event('a', 1));
  await run.settle();
  assert.match(run.ledger()[0]!.detail, /returned a promise from a synchronous bolt: use asyncBolt/);
});

test('emits keep the time of their input unless they are given another', async () => {
  const times: number[] = [];
  const twice = bolt({
    emits: type<number>(),
    prepare: ({ emit }) => ({
      execute(e: Event) {
        emit(e.n);
        emit(e.n, 5);
      },
    }),
  });
  const run = testRun(
    topology('times', (t) => {
      const raw = t.spout('raw', never);
      t.bolt('look', t.bolt('twice', raw.shuffle(), twice).shuffle(), (_n, time) => void times.push(time));
      return { raw };
    }),
  );
  run.feed('raw', event('a', 1), 1234);
  assert.deepEqual(times, [1234, 5]);
});
