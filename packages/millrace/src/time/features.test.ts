import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testRun } from '../testing/test-run.ts';
import { type } from '../topology/schema.ts';
import { spout } from '../topology/spout.ts';
import { topology } from '../topology/topology.ts';
import { count } from './aggregates/count.ts';
import { rate } from './aggregates/rate.ts';
import { mean, sum } from './aggregates/sum.ts';
import { features, over, sinceLast } from './features.ts';
import { sliding, tumbling } from './windows/assigners.ts';

interface Payment {
  readonly card: string;
  readonly amount: number;
}
const source = spout({ emits: type<Payment>(), open: () => ({ nextTuple: () => false }) });

const cards = (order: 'event' | 'arrival') =>
  topology('cards', (t) => {
    const payments = t.spout('payments', source);
    const scored = t.bolt(
      'features',
      payments.fields('card'),
      features(
        {
          mean_1h: over(
            sliding('1h', '10m'),
            mean((p) => p.amount),
          ),
          total_1h: over(
            sliding('1h', '5m'),
            sum((p) => p.amount),
          ),
          count_5m: over(tumbling('5m'), count()),
          rate_5m: over(tumbling('5m'), rate('1m')),
          since_last: sinceLast('1d'),
        },
        { order },
      ),
    );
    return { payments, scored };
  });

const MINUTE = 60_000;
const paid = (run: ReturnType<typeof open>, card: string, minute: number, amount: number) =>
  run.feed('payments', { card, amount }, minute * MINUTE);
const open = (order: 'event' | 'arrival' = 'event') => testRun(cards(order));

test('each event comes out with what its windows hold at that moment, itself included', async () => {
  const run = open();
  paid(run, 'a', 0, 10);
  paid(run, 'a', 4, 20);
  paid(run, 'b', 4, 99);
  paid(run, 'a', 5, 60);
  paid(run, 'a', 65, 40);
  await run.watermark(100 * MINUTE);
  assert.deepEqual(run.read('scored'), [
    { card: 'a', amount: 10, mean_1h: 10, total_1h: 10, count_5m: 1, rate_5m: 0.2, since_last: undefined },
    { card: 'a', amount: 20, mean_1h: 15, total_1h: 30, count_5m: 2, rate_5m: 0.4, since_last: 4 * MINUTE },
    { card: 'b', amount: 99, mean_1h: 99, total_1h: 99, count_5m: 1, rate_5m: 0.2, since_last: undefined },
    { card: 'a', amount: 60, mean_1h: 30, total_1h: 90, count_5m: 1, rate_5m: 0.2, since_last: MINUTE },
    { card: 'a', amount: 40, mean_1h: 40, total_1h: 40, count_5m: 1, rate_5m: 0.2, since_last: 60 * MINUTE },
  ]);
});

test('in event-time order an event waits for those before it; a late one goes to the ledger', async () => {
  const run = open();
  paid(run, 'a', 10, 1);
  paid(run, 'a', 3, 5);
  await run.watermark(2 * MINUTE);
  assert.deepEqual(run.read('scored'), []);
  await run.watermark(10 * MINUTE);
  assert.deepEqual(
    run.read('scored').map(({ amount, since_last }) => [amount, since_last]),
    [
      [5, undefined],
      [1, 7 * MINUTE],
    ],
  );
  paid(run, 'a', 10, 2);
  await run.settle();
  assert.deepEqual(
    run.ledger().map(({ cause, component }) => [cause, component]),
    [['late', 'features']],
  );
});

test('in order of arrival an event is given on at once', () => {
  const run = open('arrival');
  paid(run, 'a', 8, 1);
  paid(run, 'a', 3, 5);
  assert.deepEqual(
    run.read('scored').map(({ amount, count_5m, mean_1h, since_last }) => [amount, count_5m, mean_1h, since_last]),
    [
      [1, 1, 1, undefined],
      [5, 1, 3, undefined],
    ],
  );
});

/** What `features` has to say, from all events of the key at once. */
function naive(payments: readonly { readonly minute: number; readonly amount: number }[]) {
  const sorted = payments.toSorted((a, b) => a.minute - b.minute);
  return sorted.map(({ minute, amount }, i) => {
    const upTo = sorted.slice(0, i + 1);
    const hour = upTo.filter((p) => p.minute >= Math.floor(minute / 10) * 10 - 50).map((p) => p.amount);
    return {
      amount,
      total_1h: upTo.filter((p) => p.minute >= Math.floor(minute / 5) * 5 - 55).reduce((sum, p) => sum + p.amount, 0),
      mean_1h: hour.reduce((a, b) => a + b) / hour.length,
      count_5m: upTo.filter((p) => p.minute >= Math.floor(minute / 5) * 5).length,
      rate_5m: upTo.filter((p) => p.minute >= Math.floor(minute / 5) * 5).length / 5,
      since_last: i === 0 ? undefined : (minute - sorted[i - 1]!.minute) * MINUTE,
    };
  });
}

test('whatever the order of arrival, the features are those of the batch; and at last nothing is kept', async () => {
  const payment = fc.record({
    card: fc.constantFrom('a', 'b'),
    minute: fc.nat(400),
    amount: fc.integer({ min: 1, max: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(payment, { maxLength: 60 }), fc.nat(400), async (payments, at) => {
      const run = open();
      for (const p of payments.filter(({ minute }) => minute <= at)) paid(run, p.card, p.minute, p.amount);
      await run.watermark(at * MINUTE - 1);
      for (const p of payments.filter(({ minute }) => minute > at)) paid(run, p.card, p.minute, p.amount);
      await run.watermark(1000 * MINUTE);
      const scored = run.read('scored');
      for (const card of ['a', 'b']) {
        const expected = naive(payments.filter((p) => p.card === card));
        const found = scored.filter((p) => p.card === card);
        assert.deepEqual(
          found.map(({ amount: _, card: __, ...rest }) => rest),
          expected.map(({ amount: _, ...rest }) => rest),
        );
      }
      await run.watermark(10_000 * MINUTE);
      assert.equal(run.ledger().length, 0);
    }),
    { numRuns: 200 },
  );
});

test('in order of arrival each event has what came before it in its windows, wherever the watermark is', async () => {
  const payment = fc.record({ minute: fc.nat(120), amount: fc.integer({ min: 1, max: 8 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(payment, { minLength: 40, maxLength: 80 }), async (payments) => {
      const run = open('arrival');
      let newest = 0;
      const taken: (typeof payments)[number][] = [];
      for (const p of payments) {
        // Half an hour of disorder.
        if (p.minute < newest - 30) continue;
        newest = Math.max(newest, p.minute);
        taken.push(p);
        paid(run, 'a', p.minute, p.amount);
        await run.watermark((newest - 30) * MINUTE - 1);
      }
      const expected = taken.map(({ minute }, i) => {
        const inWindow = (size: number, slide: number) => {
          const end = (Math.floor(minute / slide) + 1) * slide;
          return taken.slice(0, i + 1).filter((p) => p.minute < end && p.minute >= end - size);
        };
        return [inWindow(60, 5).reduce((sum, p) => sum + p.amount, 0), inWindow(5, 5).length];
      });
      assert.deepEqual(
        run.read('scored').map(({ total_1h, count_5m }) => [total_1h, count_5m]),
        expected,
      );
      assert.equal(run.ledger().length, 0);
    }),
    { numRuns: 200 },
  );
});

test("what the user's code throws for one event changes nothing for the others", async () => {
  const picky = topology('picky', (t) => {
    const payments = t.spout('payments', source);
    const amount = (p: Payment) => {
      if (p.amount === 13) throw new Error('unlucky');
      return p.amount;
    };
    const definition = { mean_1h: over(sliding('1h', '10m'), mean(amount)), n: over(tumbling('1h'), count()) };
    const options = { onError: { retries: 0 } };
    return { payments, scored: t.bolt('features', payments.fields('card'), features(definition), options) };
  });
  const run = testRun(picky);
  for (const amount of [1, 13, 3]) run.feed('payments', { card: 'a', amount }, MINUTE);
  await run.watermark(2 * MINUTE);
  assert.deepEqual(
    run.read('scored').map(({ mean_1h, n }) => [mean_1h, n]),
    [
      [1, 1],
      [2, 2],
    ],
  );
  assert.equal(run.ledger().length, 1);
});

test('windows by the clock or by count, and what is no feature, are refused when the topology is built', () => {
  assert.throws(() => over(tumbling('1h', { by: 'clock' }), count()), { code: 'MR_OPTION', message: /by event time/ });
  assert.throws(() => over(tumbling('1h'), undefined as never), { code: 'MR_OPTION', message: /an aggregate/ });
  assert.throws(() => features({ n: count() as never }), { code: 'MR_OPTION', message: /'n'/ });
});

test('each sinceLast forgets after its own time, and knows the event before up to then, whichever came first', async () => {
  const t = topology('since', (b) => {
    const payments = b.spout('payments', source);
    const since = features<Payment, ReturnType<typeof both>>(both());
    return { payments, out: b.bolt('features', payments.fields('card'), since) };
  });
  const at = (time: number) => [{ card: 'a', amount: time }, time] as const;
  for (const watermark of [0, 150]) {
    const run = testRun(t);
    run.feed('payments', ...at(100));
    await run.watermark(watermark);
    for (const time of [200, 211, 312]) run.feed('payments', ...at(time));
    await run.end();
    assert.deepEqual(
      run.read('out').map(({ short, long }) => [short, long]),
      [
        [undefined, undefined],
        [undefined, 100],
        [11, 11],
        [undefined, undefined],
      ],
    );
    assert.deepEqual(run.keys('features'), []);
  }
});
const both = () => ({ short: sinceLast(11), long: sinceLast(100) });
