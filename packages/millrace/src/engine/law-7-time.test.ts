/** Law 7: event time never goes back, overtakes no tuple and is overtaken by none; a late record is in one place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { structured } from '../codec/structured.ts';
import type { Stream, TopologyBuilder, Tuple, WindowAssigner } from '../index.ts';
import {
  asyncBolt,
  bolt,
  collect,
  flatMap,
  manualBolt,
  session,
  sliding,
  spout,
  topology,
  tumbling,
  type,
  windowed,
} from '../index.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import { runOnce } from '../testing/torture/run.ts';
import { testRun } from '../testing.ts';
import { logSpout } from '../topology/spout.ts';
import { TimeMerge } from './event-time.ts';

test('the event time of a task is the least of its inputs that are not idle, as far as it has come, and never goes back', () => {
  const told = fc.tuple(fc.nat(2), fc.oneof(fc.integer({ min: -5, max: 20 }), fc.constant(Infinity)), fc.boolean());
  fc.assert(
    fc.property(fc.array(told, { maxLength: 40 }), (all) => {
      const seen: number[] = [];
      const merge = new TimeMerge((watermark) => void seen.push(watermark));
      const inlets = [0, 1, 2].map((task) => merge.inlet('in', task));
      const model = [0, 1, 2].map(() => ({ watermark: -Infinity, idle: false }));
      let expected = -Infinity;
      for (const [i, watermark, idle] of all) {
        inlets[i]!.advance(watermark, idle);
        model[i] = { watermark: Math.max(model[i]!.watermark, watermark), idle };
        // One that has ended holds nobody; those that are idle may still come back.
        const open = model.filter((one) => one.watermark < Infinity);
        const active = open.filter((one) => !one.idle).map((one) => one.watermark);
        if (active.length > 0) expected = Math.max(expected, Math.min(...active));
        if (open.length === 0) expected = Infinity;
        assert.equal(merge.watermark, expected);
        assert.equal(merge.idle, open.length > 0 && active.length === 0);
      }
      assert.deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
      );
    }),
  );
});

const silent = spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) });
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Bolts that give each number on, sooner or later. */
const kinds = {
  flaky: () => {
    const tried = new Set<number>();
    return bolt({
      emits: type<number>(),
      prepare: ({ emit }) => ({
        execute(n: number) {
          if (n % 3 === 0 && !tried.has(n)) {
            tried.add(n);
            throw new Error('not yet');
          }
          emit(n);
        },
      }),
    });
  },
  timer: () =>
    bolt({
      emits: type<number>(),
      timers: { later: 'event' },
      prepare: ({ emit, timers }) => ({
        execute: (n: number, time) => timers.later.set(time + 1 + (n % 4)),
        timer: { later: (_, n) => emit(n as number) },
      }),
    }),
  ordered: () => asyncBolt({ concurrency: 3, execute: async (n: number) => wait((n * 7) % 30).then(() => n) }),
  unordered: () =>
    asyncBolt({ concurrency: 3, order: 'unordered', execute: async (n: number) => wait((n * 7) % 30).then(() => n) }),
  generator: () =>
    flatMap(function* (n: number) {
      yield n;
    }),
  manual: () =>
    manualBolt({
      emits: type<number>(),
      tick: '20ms',
      prepare({ emit, ack }) {
        const held: Tuple<number>[] = [];
        return {
          execute: (tuple: Tuple<number>) => void held.push(tuple),
          tick() {
            const tuple = held.shift();
            if (tuple === undefined) return;
            emit(tuple.value, [tuple], tuple.time);
            ack(tuple);
          },
          flush: () => {},
        };
      },
    }),
};

/** What arrives: a number, or a watermark. */
const seeing = (seen: (number | { watermark: number })[]) =>
  bolt({
    prepare: () => ({
      execute: (n: number) => void seen.push(n),
      watermark: (watermark: number) => void seen.push({ watermark }),
    }),
  });

test('through tasks of every kind, retries and full queues, watermarks and tuples keep their order (law 2)', async () => {
  const kind = fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]));
  const fed = fc.array(fc.oneof(fc.constant('value' as const), fc.integer({ min: 1, max: 12 })), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 3 }), fed, fc.nat(15), async (chain, steps, pace) => {
      const seen: (number | { watermark: number })[] = [];
      const t = topology('t', (b: TopologyBuilder) => {
        const input = b.spout('in', silent);
        let stream: Stream<number> = input;
        for (const [i, name] of chain.entries()) {
          const options = { queue: 2, onError: { backoff: '15ms' } } as const;
          stream = b.bolt(
            `b${i}`,
            stream.keyBy((n) => n),
            kinds[name]() as never,
            options,
          ) as Stream<number>;
        }
        b.bolt('seeing', stream.global(), seeing(seen));
        return { input };
      });
      const run = testRun(t);
      const timers = chain.filter((name) => name === 'timer').length;
      const all: Fed[] = [];
      let watermark = 0;
      for (const step of steps) {
        if (step === 'value') {
          const n = all.length;
          run.feed('input', n, watermark + 1);
          all.push({ behind: watermark, due: watermark + 1 + timers * (1 + (n % 4)) });
        } else {
          watermark += step;
          await run.watermark(watermark);
        }
        await run.advance(pace);
      }
      await run.end();
      await run.advance('10s');
      checkOrder(seen, all);
    }),
    { numRuns: 150 },
  );
});

/** A number that was fed: behind which watermark, and the first one that must stay behind it. */
interface Fed {
  readonly behind: number;
  readonly due: number;
}

function checkOrder(seen: readonly (number | { watermark: number })[], all: readonly Fed[]): void {
  let now = 0;
  const numbers = new Set<number>();
  for (const one of seen) {
    if (typeof one === 'number') {
      assert.ok(now >= all[one]!.behind, `${one} overtook the watermark ${all[one]!.behind}`);
      numbers.add(one);
      continue;
    }
    assert.ok(one.watermark > now, `${one.watermark} came after ${now}`);
    now = one.watermark;
    for (const [n, { due }] of all.entries()) assert.ok(due > now || numbers.has(n), `${now} overtook ${n}, of ${due}`);
  }
  assert.equal(now, Infinity);
  assert.equal(numbers.size, all.length);
}

interface Event {
  readonly id: number;
  readonly key: string;
}
const assigners: fc.Arbitrary<WindowAssigner<Event>> = fc.oneof(
  fc.constant(tumbling(10)),
  fc.constant(sliding(12, 5)),
  fc.constant(session<Event>(6)),
);
const drawn = fc.array(fc.oneof(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(60)), fc.nat(60)), { maxLength: 40 });

test('a record is in a window, or in the late stream, or in the ledger: in one of them, and nowhere else', async () => {
  await fc.assert(
    fc.asyncProperty(assigners, drawn, fc.nat(15), fc.boolean(), async (assigner, steps, lateness, late) => {
      const ids = { ids: collect((e: Event) => e.id) };
      const t = topology('t', (b) => {
        const input = b.spout('in', spout({ emits: type<Event>(), open: () => ({ nextTuple: () => false }) }));
        const keyed = input.fields('key');
        if (!late) return { input, results: b.bolt('windows', keyed, windowed(assigner, ids, { lateness })) };
        const out = b.bolt('windows', keyed, windowed(assigner, ids, { lateness, late: true }));
        return { input, results: out.results, late: out.late };
      });
      const run = testRun(t);
      let fed = 0;
      for (const step of steps) {
        if (typeof step === 'number') await run.watermark(step);
        else run.feed('input', { id: fed++, key: step[0] }, step[1]);
      }
      await run.end();
      const inWindows = new Set(run.read('results').flatMap((result) => result.ids));
      const inStream = late ? run.read('late' as 'input').map(({ id }) => id) : [];
      const inLedger = run.ledger().map((entry) => (structured.decode(entry.payload!) as Event).id);
      for (const { cause } of run.ledger()) assert.equal(cause, 'late');
      assert.ok(late ? inLedger.length === 0 : inStream.length === 0);
      const all = [...inWindows, ...inStream, ...inLedger].sort((a, b) => a - b);
      assert.deepEqual(
        all,
        Array.from({ length: fed }, (_, i) => i),
      );
    }),
    { numRuns: 300 },
  );
});

test('event time does not go back over a restart, whatever the sources say next', async () => {
  const telling = bolt({
    emits: type<number>(),
    state: {},
    prepare: ({ emit, watermark }) => ({ execute: (_: number) => emit(watermark()) }),
  });
  const keying = { key: (() => 'k') as never, keyOf: () => 'k' };
  const steps = [[1, 5], { watermark: 10 }, [2, 11], { watermark: 4 }, [3, 12], { watermark: 20 }, [4, 21]] as const;
  const { came } = await runOnce(telling, keying, { steps, moves: new Map(steps.map((_, i) => [i, 1 + (i % 3)])) });
  assert.deepEqual(
    came.map(({ value }) => value),
    [-Infinity, 10, 10, 20],
  );
});

test('the end of the input closes the windows; a stop leaves them open', async () => {
  for (const ends of [true, false]) {
    const out: number[] = [];
    const source = logSpout<number>({
      emits: type<number>(),
      splits: () => ['s'],
      open: (task) => ({
        seek: () => {},
        pause: () => {},
        resume: () => {},
        next() {
          if (out.length === 0 && !started) for (let n = 0; n < 3; n++) task.emit('s', n, n + 1, n, n);
          started = true;
          if (ends) task.endSplit('s');
          return false;
        },
        commit: async () => {},
      }),
    });
    let started = false;
    const t = topology('t', (b) => {
      const input = b.spout('in', source);
      const counts = b.bolt('windows', input.global(), windowed(tumbling('1h'), { ids: collect((n: number) => n) }));
      b.bolt('out', counts.shuffle(), ({ ids }) => void out.push(ids.length));
    });
    const { runtime, running } = await startVirtual(t);
    await runtime.settle();
    if (!ends) await runtime.until(runtime.within(() => running.stop()));
    await runtime.until(running.done);
    assert.deepEqual(out, ends ? [3] : []);
  }
});
