/**
 * The fraud features: what must come out is what comes out of the same topology in virtual time, where nothing ever fails,
 * and, where that is simple, what plain sums say.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { testRun } from 'millrace/testing';
import type { Account, Bucket, Flushed, Payment, Tally } from './jobs/features.ts';
import featuresJob, { accounts, LATE, payments, tallies } from './jobs/features.ts';
import { databaseIn, filesIn, type Outputs } from './outputs.ts';
import type { Expected, Scenario } from './scenario.ts';
import { scrambled } from './scenario.ts';

const CARDS = 60;
const START = Date.UTC(2025, 0, 1);
/** Event time from one payment to the next. */
const STEP = 20;
const HOUR = 3_600_000;
/** So many that each partition has one. */
const CLOSING = 64;

function paymentOf(n: number): Payment {
  const random = scrambled(n);
  return {
    n,
    card: `card-${n % CARDS}`,
    amount: 1 + (random % 500),
    at: START + LATE + n * STEP - (random % (LATE - 1)),
  };
}

function closingAt(count: number): number {
  return START + LATE + count * STEP + HOUR;
}

interface Run {
  readonly accounts: readonly Account[];
  readonly buckets: readonly Bucket[];
  readonly tallies: readonly Tally[];
}

async function withoutFaults(count: number): Promise<Run> {
  const run = testRun(featuresJob, { config: {}, start: START });
  for (let n = 0; n < count; n++) {
    const payment = paymentOf(n);
    run.feed('paid', payment, payment.at);
    if (n % 1000 === 0) await run.advance('10ms');
  }
  await run.watermark(closingAt(count) - 2 * LATE);
  // Look-ups of one card come one after the other.
  await run.advance(10_000 + 4 * count);
  assert.deepEqual(run.ledger(), []);
  return {
    accounts: run.written('accounts') as Account[],
    buckets: run.written('buckets') as Bucket[],
    tallies: run.written('tallies') as Tally[],
  };
}

/** Each key's values in their order. */
function same<T>(what: string, actual: readonly T[], expected: readonly T[], keyOf: (value: T) => string): void {
  const found = Map.groupBy(actual, keyOf);
  for (const [key, wanted] of Map.groupBy(expected, keyOf)) {
    const got = found.get(key) ?? [];
    const at = wanted.findIndex((value, i) => !isEqual(got[i], value));
    if (at < 0 && got.length === wanted.length) continue;
    const shown = (value: unknown) => JSON.stringify(value) ?? 'nothing';
    const where = at < 0 ? wanted.length : at;
    assert.fail(
      `${what} of ${key}: ${got.length}, not ${wanted.length}; the ${where}th is ${shown(got[where])}, not ${shown(wanted[where])}`,
    );
  }
  assert.equal(actual.length, expected.length, what);
}

function isEqual(actual: unknown, expected: unknown): boolean {
  try {
    assert.deepEqual(actual, expected);
    return true;
  } catch {
    return false;
  }
}

/** As a table or JSON has it: without what is undefined. */
function plain<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, cell]) => cell !== undefined && cell !== null)) as T;
}

async function model(count: number): Promise<Expected> {
  const run = await withoutFaults(count);
  assert.equal(run.accounts.length, count, 'the model has each payment');
  const expected = { ...run, accounts: run.accounts.map(plain) };
  const flushedIn = (outputs: Outputs) =>
    (outputs.table('flushed') as unknown as readonly Flushed[]).reduce((sum, { payments: n }) => sum + n, 0);
  return {
    size: 3 * count + 2 * CARDS + run.buckets.length + run.tallies.length,
    missing(outputs) {
      const left = [
        count - outputs.topic(accounts.name).length,
        run.tallies.length - outputs.topic(tallies.name).length,
        count - outputs.table('rows').length,
        run.buckets.length - outputs.table('buckets').length,
        count - outputs.files().length,
        count - flushedIn(outputs),
      ];
      return left.reduce((sum, n) => sum + Math.max(0, n), 0);
    },
    check(outputs) {
      const cardOf = ({ card }: { readonly card: string }) => card;
      const rows = <T extends object>(table: string) =>
        outputs.table(table).map((row) => plain({ ...row })) as unknown as T[];
      same('records in the topic', outputs.topic(accounts.name) as Account[], expected.accounts, cardOf);
      same('rows', rows<Account>('rows'), expected.accounts, cardOf);
      const inFiles = outputs.files().map((line) => JSON.parse(line) as Account);
      same('lines in the files', inFiles, expected.accounts, cardOf);
      const latest = [...Map.groupBy(expected.accounts, cardOf).values()].map((of) => of.at(-1)!);
      same('the row', rows<Account>('latest'), latest, cardOf);
      same('timers by event time', rows<Bucket>('buckets'), expected.buckets.map(plain), cardOf);
      same('windows', outputs.topic(tallies.name) as Tally[], expected.tallies.map(plain), ({ key }) => key);
      const perCard = Map.groupBy(rows<Flushed>('flushed'), cardOf);
      for (const [card, { length }] of Map.groupBy(expected.accounts, cardOf)) {
        const flushed = (perCard.get(card) ?? []).reduce((sum, { payments: n }) => sum + n, 0);
        assert.equal(flushed, length, `payments told of by timers of the clock, of ${card}`);
      }
    },
  };
}

export const features: Scenario = {
  name: 'features',
  module: join(import.meta.dirname, 'jobs', 'features.ts'),
  input: {
    topic: payments.name,
    partitions: payments.partitions ?? 1,
    key: (line) => (JSON.parse(line) as Payment).card,
  },
  topics: [accounts.name, tallies.name],
  config: (folder) => ({ database: databaseIn(folder), folder: filesIn(folder) }),
  line: (n) => JSON.stringify(paymentOf(n)),
  closing: (count) =>
    Array.from({ length: CLOSING }, (_, i) =>
      JSON.stringify({ n: count + i, card: `closing-${i}`, amount: 1, at: closingAt(count) } satisfies Payment),
    ),
  expect: model,
};
