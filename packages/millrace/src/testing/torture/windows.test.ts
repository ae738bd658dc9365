/** Windows and features through `torture`: laws 1, 2, 6 and 10 for state that our own operators change in place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WindowAssigner } from '../../index.ts';
import {
  aggregate,
  collect,
  count,
  countWindow,
  distinct,
  features,
  first,
  globalWindow,
  last,
  max,
  mean,
  min,
  over,
  percentiles,
  session,
  sinceLast,
  sliding,
  stddev,
  sum,
  topK,
  tumbling,
  windowed,
} from '../../index.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { mayFail } from './probe.ts';
import type { Step } from './scenario.ts';
import type { Came } from './stage.ts';
import { torture } from './torture.ts';

interface Reading {
  readonly device: string;
  readonly n: number;
}

const DISORDER = 15;
const rounds = 8;

/** Readings of two devices, as much out of order as allowed, a few of them late, and the watermarks for them. */
function readings(seed: number): readonly Step<Reading>[] {
  const random = seededRandom(seed);
  const steps: Step<Reading>[] = [];
  let newest = 0;
  for (let i = 0; i < 16; i++) {
    const isLate = random() < 0.1;
    const time = Math.max(
      0,
      newest + Math.floor(isLate ? -60 + random() * 40 : -DISORDER + random() * (DISORDER + 12)),
    );
    newest = Math.max(newest, time);
    steps.push([{ device: 'ab'[Math.floor(random() * 2)]!, n: Math.floor(random() * 10) }, time]);
    if (random() < 0.25) steps.push({ watermark: newest - DISORDER - 1 });
  }
  return steps;
}

const n = mayFail((r: Reading) => r.n);
type Spread = { readonly least: number; readonly most: number };
const spread = aggregate({
  create: (): Spread => ({ least: Number.POSITIVE_INFINITY, most: Number.NEGATIVE_INFINITY }),
  add: mayFail((a: Spread, r: Reading) => ({ least: Math.min(a.least, r.n), most: Math.max(a.most, r.n) })),
  merge: mayFail((a: Spread, b: Spread) => ({ least: Math.min(a.least, b.least), most: Math.max(a.most, b.most) })),
  result: mayFail((a: Spread) => a.most - a.least),
});
const all = {
  count: count(),
  sum: sum(n),
  mean: mean(n),
  least: min(n),
  most: max(n),
  stddev: stddev(n),
  kinds: distinct(n),
  spread,
};
/** These look at the order of arrival where times are equal. */
const ordered = { first: first(n), last: last(n), top: topK(2, n), all: collect(n), middle: percentiles([0.5], n) };

const key = (r: Reading) => r.device;

const assigners: { readonly [name: string]: WindowAssigner<Reading> } = {
  tumbling: tumbling(20, { offset: 7 }),
  sliding: sliding(30, 10),
  'sliding, of a size that is no multiple of the slide': sliding(25, 10),
  'session, of a gap that depends on the value': session((r: Reading) => 4 + r.n),
  global: globalWindow(),
};
for (const [name, assigner] of Object.entries(assigners)) {
  test(`${name}: one result, also when readings come out of order`, async () => {
    const inputs = readings(1);
    const { keys, came } = await torture(windowed(assigner, all), { key, inputs, rounds, outOfOrder: DISORDER });
    assert.ok(came.length >= 2);
    assert.deepEqual(keys, []);
  });

  test(`${name}: one result of aggregates for which the order counts`, async () => {
    const { keys } = await torture(windowed(assigner, ordered), { key, rounds, inputs: readings(2) });
    assert.deepEqual(keys, []);
  });
}

test('windows by count', async () => {
  const inputs = readings(3);
  await torture(windowed(countWindow(3), { ...all, ...ordered }), { key, rounds, inputs });
  await torture(windowed(countWindow(4, 2), { ...all, ...ordered }), { key: 'global', rounds, inputs });
});

for (const mode of ['accumulating', 'discarding'] as const) {
  test(`${mode}: windows that show themselves again for what comes late, and early by the clock`, async () => {
    const end = [{ watermark: 95 }, [{ device: 'a', n: 3 }, 1]] as const;
    const some = [...readings(4), ...end];
    const inputs = some.flatMap((step, i) => (i % 5 === 4 ? [step, { advance: 3 }] : [step]));
    const seen = new Set<string>();
    for (const assigner of [tumbling(20), sliding(30, 10), session<Reading>(12)]) {
      const bolt = windowed(assigner, { n: count(), sum: sum(n) }, { mode, lateness: 10, early: 5, late: true });
      const { came } = await torture(bolt, { key, rounds, inputs });
      for (const one of came) seen.add(one.stream === 'late' ? 'too late' : timingOf(one));
    }
    assert.deepEqual([...seen].sort(), ['early', 'late', 'on time', 'too late']);
  });
}

const timingOf = ({ value }: Came) => (value as { timing: string }).timing;

test('windows by the clock', async () => {
  const inputs = readings(5).flatMap((step, i) => (i % 2 === 0 ? [step, { advance: 4 }] : [step]));
  for (const by of [
    tumbling(10, { by: 'clock' }),
    sliding(12, 4, { by: 'clock' }),
    session<Reading>(5, { by: 'clock' }),
  ])
    await torture(windowed(by, { ...all, ...ordered }), { key, rounds, inputs });
});

/** An event of which a function fails is given to the ledger, not tried again. */
const plain = (r: Reading) => r.n;
const ofDevice = {
  sum: over(sliding(30, 10), sum(plain)),
  mean: over(tumbling(20), mean(plain)),
  top: over(sliding(40, 20), topK(2, plain)),
  since: sinceLast(50),
};

test('features in the order of events: one result, also out of order', async () => {
  const { keys } = await torture(features<Reading, typeof ofDevice>(ofDevice), {
    key,
    inputs: readings(6),
    outOfOrder: DISORDER,
  });
  assert.deepEqual(keys, []);
});

test('features in the order of arrival', async () => {
  const { keys } = await torture(features<Reading, typeof ofDevice>(ofDevice, { order: 'arrival' }), {
    key,
    inputs: readings(7),
  });
  assert.deepEqual(keys, []);
});
