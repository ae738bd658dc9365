/** Law 6: what survives a restart belongs to a key group, never to a task number. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Key } from '../index.ts';
import { bolt, list, mapOf, spout, topology, type, value } from '../index.ts';
import { difference } from '../testing/torture/compare.ts';
import { runOnce } from '../testing/torture/run.ts';
import { testRun } from '../testing.ts';
import { canonicalKey, keyGroup, taskOfKeyGroup } from '../topology/key.ts';

interface Event {
  readonly key: Key;
  readonly n: number;
}

const source = spout({ emits: type<Event>(), open: () => ({ nextTuple: () => false }) });

const primitive: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.integer({ min: -3, max: 3 }),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.boolean(),
);
const key: fc.Arbitrary<Key> = fc.oneof(primitive, fc.array(primitive, { maxLength: 2 }));

/** Each kind of state and a timer; all that it keeps goes into what it gives. */
const keeper = bolt({
  emits: type<readonly unknown[]>(),
  state: { sum: value(0), all: list(type<number>()), last: mapOf(type<number>(), { ttl: { event: 30 } }) },
  timers: { close: 'event' },
  prepare: ({ emit, state: { sum, all, last }, timers }) => ({
    execute({ n }: Event, time: number) {
      sum.set(sum.get() + n);
      all.append(n);
      last.set(`${n}`, time);
      timers.close.set(time + 20);
      emit([n, sum.get(), all.get(), [...last.keys()].sort()]);
    },
    timer: {
      close(time) {
        emit([time, sum.get(), all.get(), last.size]);
        sum.clear();
        all.clear();
      },
    },
  }),
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.nat(5), fc.nat(3), fc.nat(9)) },
  { weight: 1, arbitrary: fc.nat(25) },
);
const scenario = fc.record({
  keys: fc.array(key, { minLength: 6, maxLength: 6 }),
  steps: fc.array(step, { minLength: 3, maxLength: 25 }),
  moves: fc.array(fc.tuple(fc.nat(24), fc.integer({ min: 1, max: 9 })), { maxLength: 4 }),
  tasks: fc.integer({ min: 1, max: 24 }),
});

test('what tasks keep goes to the owners of its key groups: any number of tasks goes on with the same results', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ keys, steps, moves, tasks }) => {
      let time = 0;
      const given = steps.map((drawn) => {
        if (typeof drawn === 'number') return { watermark: time - drawn };
        time += drawn[2];
        return [{ key: keys[drawn[0]]!, n: drawn[1] }, time] as const;
      });
      const keying = { key: ((e: Event) => e.key) as never, keyOf: (e: unknown) => (e as Event).key };
      const base = await runOnce(keeper, keying, { steps: given });
      assert.equal(base.failure, undefined);
      const at = new Map(moves.map(([i, n]) => [i % steps.length, n]));
      const moved = await runOnce(keeper, keying, { steps: given, parallelism: tasks, moves: at });
      const how = { ordered: true, keyless: false, same: undefined };
      assert.equal(difference(base.came, moved.came, how), undefined);
      assert.equal(moved.keys.length, new Set(moved.keys.map(canonicalKey)).size, 'a key is kept once');
    }),
    { numRuns: 60 },
  );
});

test('the state of a key is in one task only: the one to which its tuples go', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 40 }), fc.integer({ min: 1, max: 256 }), (keys, tasks) => {
      const who = bolt({
        emits: type<number>(),
        state: { any: value(false) },
        prepare: ({ emit, state, index }) => ({
          execute() {
            state.any.set(true);
            emit(index);
          },
        }),
      });
      const t = topology('t', (b) => {
        const raw = b.spout('raw', source);
        return {
          raw,
          who: b.bolt(
            'who',
            raw.keyBy((e) => e.key),
            who,
            { parallelism: tasks },
          ),
        };
      });
      const run = testRun(t);
      for (const one of keys) {
        run.feed('raw', { key: one, n: 0 });
        assert.deepEqual(run.read('who'), [taskOfKeyGroup(keyGroup(canonicalKey(one)!), tasks)]);
      }
      const kept = run.keys('who').map((one) => canonicalKey(one));
      assert.equal(kept.length, new Set(kept).size);
      assert.deepEqual(new Set(kept), new Set(keys.map(canonicalKey)));
    }),
    { numRuns: 100 },
  );
});

test('global is keyed by the empty tuple, whose owner is the first of any number of tasks; only it is ticked for its state', async () => {
  const counting = bolt({
    emits: type<string>(),
    state: { count: value(0) },
    tick: '1s',
    prepare: ({ emit, state: { count }, index }) => ({
      execute: (_: Event) => count.set(count.get() + 1),
      tick() {
        count.set(count.get() + 100);
        emit(`${index}: ${count.get()}`);
      },
    }),
  });
  for (const parallelism of [1, 2, 3, 7, 256]) {
    assert.equal(taskOfKeyGroup(keyGroup(canonicalKey([])!), parallelism), 0);
    const t = topology('t', (b) => {
      const raw = b.spout('raw', source);
      return { raw, counted: b.bolt('counting', raw.global(), counting, { parallelism }) };
    });
    const run = testRun(t);
    run.feed('raw', { key: 'a', n: 1 });
    run.feed('raw', { key: 'b', n: 1 });
    await run.advance('1s');
    assert.deepEqual(run.read('counted'), ['0: 102']);
    assert.deepEqual(run.keys('counting'), [[]]);
  }
});
