/** What `torture` is for: bolts with a mistake that a plain test does not see, each told by the way that finds it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bolt, Stream } from '../../index.ts';
import { bolt, list, map, type, value } from '../../index.ts';
import { torture } from '../../testing.ts';
import type { TortureOptions } from './torture.ts';

type Numbers = (n: number, time: number) => void;
const inputs = [
  [1, 0],
  [2, 1],
  [11, 2],
  { watermark: 1 },
  [3, 3],
  [12, 4],
  { watermark: 20 },
  [4, 21],
  [14, 22],
] as const;
const key = (n: number) => (n < 10 ? 'small' : 'large');

/** The ways that tell, and the text that they tell. */
async function told<H>(
  mistaken: Bolt<Numbers, H>,
  options: Partial<TortureOptions<number, H>> = {},
): Promise<{ ways: readonly string[]; text: string }> {
  try {
    await torture(mistaken, { key, inputs, ...options });
  } catch (thrown) {
    const { message: text } = thrown as Error;
    return { ways: [...text.matchAll(/^([a-z][a-z -]+)[,(:]/gm)].map(([, way]) => way!.trim()), text };
  }
  return assert.fail('nothing was told');
}

test('state in a variable of the task: it does not move with its key', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    state: { unused: value(0) },
    prepare({ emit }) {
      const sums = new Map<string, number>();
      return {
        execute(n: number, _time: number, key: string) {
          sums.set(key, (sums.get(key) ?? 0) + n);
          emit(sums.get(key)!);
        },
      };
    },
  });
  const { ways, text } = await told(mistaken as never);
  assert.equal(ways[0], 'snapshot and restore');
  assert.match(text, /after step 1 of 9: 1 at 0: stream default, key 'small':\n.*as given: 1 at 0, 3 at 1/);
  assert.match(text, /this way: 1 at 0, 2 at 1/);
});

test('one variable for all keys: what comes of one key depends on the others', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    prepare({ emit }) {
      let last = 0;
      return {
        execute(n: number) {
          emit(n - last);
          last = n;
        },
      };
    },
  });
  const { ways } = await told(mistaken);
  assert.ok(ways.includes('keys in another order'), ways.join());
  assert.ok(ways.includes('more tasks'), ways.join());
});

test('a stored value that is changed in place: the engine refuses it at once', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    state: { sum: value({ of: 0 }) },
    prepare: ({ emit, state: { sum } }) => ({
      execute(n: number) {
        sum.get().of += n;
        emit(sum.get().of);
      },
    }),
  });
  const { ways, text } = await told(mistaken as never);
  assert.deepEqual(ways, ['as given']);
  assert.match(text, /Cannot assign to read only property 'of'/);
});

test('a stored Map that is changed in place: refused as well', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    state: { sums: value<Map<string, number>>(new Map()) },
    prepare: ({ emit, state: { sums } }) => ({
      execute(n: number) {
        emit(sums.get().set('last', n).size);
      },
    }),
  });
  const { ways, text } = await told(mistaken as never);
  assert.deepEqual(ways, ['as given']);
  assert.match(text, /Cannot set on a Map that was emitted or stored: make another one/);
});

test('a stored typed array, which cannot be frozen, changed in place: a step that failed leaves its change behind', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    state: { sums: value<Float64Array | undefined>(undefined) },
    prepare: ({ emit, state: { sums } }) => ({
      execute(n: number) {
        const sum = sums.get() ?? new Float64Array(1);
        sum[0]! += n;
        sums.set(sum);
        emit(sum[0]!);
      },
    }),
  });
  const { ways, text } = await told(mistaken as never);
  assert.ok(ways.includes('a step that throws once'), ways.join());
  assert.match(text, /a step that throws once, input 2 at 1, key 'small'/);
});

test('a variable that is changed before the step has ended: a retry changes it again', async () => {
  const mistaken = bolt({
    emits: type<number>(),
    prepare({ emit }) {
      let tries = 0;
      return {
        execute(n: number) {
          tries++;
          if (tries % 2 === 0) emit(n);
        },
      };
    },
  });
  const { ways } = await told(mistaken, { key: 'global' });
  assert.ok(ways.includes('a step that throws once'), ways.join());
});

test('a result that depends on the order of arrival', async () => {
  const mistaken = bolt({
    emits: type<readonly number[]>(),
    state: { last: list(type<number>()) },
    timers: { close: 'event' },
    prepare: ({ emit, state: { last }, timers }) => ({
      execute(n: number, time: number) {
        last.append(n);
        timers.close.set(Math.ceil((time + 1) / 10) * 10);
      },
      timer: {
        close() {
          emit(last.get());
          last.clear();
        },
      },
    }),
  });
  const options = { key, inputs };
  await torture(mistaken as Bolt<Numbers, Stream<readonly number[]>>, options);
  const { ways, text } = await told(mistaken as never, { outOfOrder: 5 });
  assert.deepEqual(ways, ['out of order']);
  assert.match(text, /\(seed \d+\).*\n.*as given: .*\n.*this way: .*\n +came in as: /);
  assert.match(text, /8 other ways gave the same as the run as given; seed 1$/);
});

test('a deadline that is no timer: it is forgotten by the tasks that go on', async () => {
  const mistaken = bolt({
    emits: type<string>(),
    state: { last: value(0) },
    prepare({ emit, state: { last } }) {
      const deadlines = new Map<string, number>();
      return {
        execute(n: number, time: number, key: string) {
          const deadline = deadlines.get(key);
          if (deadline !== undefined && time > deadline) emit(`${key} was silent after ${last.get()}`);
          deadlines.set(key, time + 10);
          last.set(n);
        },
      };
    },
  });
  const { ways, text } = await told(mistaken as never);
  assert.ok(ways.includes('snapshot and restore'), ways.join());
  assert.ok(ways.includes('crash and recovery'), ways.join());
  assert.match(text, /as given: 'small was silent after 3' at 21\n +this way: nothing/);
});

test('values that do not survive an edge between workers', async () => {
  class Reading {
    readonly n: number;
    constructor(n: number) {
      this.n = n;
    }
  }
  const { ways, text } = await told(map((n: number) => new Reading(n)));
  assert.deepEqual(ways, ['edges encoded']);
  assert.match(text, /as given: Reading \{ n: 1 \} at 0/);
});

test('what is expected is compared first', async () => {
  const { text } = await told(
    map((n: number) => n * 2),
    { expected: [2] },
  );
  assert.match(text, /^as given: stream default\n +expected: \[ 2 \]\n +came: \[ 2, 4, /);
});

test('timers that set each other for ever', async () => {
  const mistaken = bolt({
    timers: { again: 'event' },
    prepare: ({ timers: { again } }) => ({
      execute: (_: number, time) => again.set(time + 1),
      timer: { again: (time) => again.set(time + 1) },
    }),
  });
  const { text } = await told(mistaken as never);
  assert.match(
    text,
    /^as given: 100000 steps and no end, the last timer 'again' at \d+: does a timer set another for ever\?$/,
  );
});
