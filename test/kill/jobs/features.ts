/**
 * The fraud features that are killed: windows, features, every state handle, timers by event time and by the clock, an
 * asynchronous bolt; out to topics, tables (added rows and replaced ones) and files.
 */
import {
  asyncBolt,
  bolt,
  count,
  features,
  list,
  mapOf,
  mean,
  over,
  rate,
  reducing,
  sinceLast,
  sliding,
  sum,
  topology,
  tumbling,
  type,
  value,
  windowed,
} from 'millrace';
import { fileLines, filesSink } from 'millrace/file';
import { sqliteSink } from 'millrace/sqlite';
import { json, topic, topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { sayAtWork } from './at-work.ts';

export type Payment = z.infer<typeof Payment>;
const Payment = z.object({ n: z.int(), card: z.string(), amount: z.int(), at: z.int() });

export const payments = topic('payments', { value: json(Payment), key: (payment) => payment.card, partitions: 4 });

export type Account = z.infer<typeof Account>;
const Account = Payment.extend({
  mean_1m: z.number(),
  rate_10s: z.number(),
  /** −1 for a card's first payment. */
  since: z.number(),
  payments: z.int(),
  total: z.int(),
  last: z.string(),
  kinds: z.string(),
});
export const accounts = topic('accounts', { value: json(Account), key: (account) => account.card, partitions: 3 });

export type Tally = z.infer<typeof Tally>;
const Tally = z.object({ key: z.string(), start: z.int(), end: z.int(), n: z.int(), amount: z.number() });
export const tallies = topic('tallies', { value: json(Tally), key: (tally) => tally.key, partitions: 2 });

/** Event time that a payment may come in late. */
export const LATE = 5000;
const BUCKET = 10_000;
const FLUSH = 30;

interface Featured extends Payment {
  readonly mean_1m: number;
  readonly rate_10s: number;
  readonly since: number | undefined;
}

/** Payments of ten seconds of event time, told when they are over. */
export interface Bucket {
  readonly card: string;
  readonly end: number;
  readonly amount: number;
}
/** Payments since the last time that the clock said so: how many at once is chance, their sum is not. */
export interface Flushed {
  readonly card: string;
  readonly payments: number;
}

const account = bolt({
  emits: { accounts: Account, buckets: type<Bucket>(), flushed: type<Flushed>() },
  state: {
    payments: value(0),
    total: reducing(0, (soFar: number, amount: number) => soFar + amount),
    last: list(type<number>()),
    kinds: mapOf(type<number>()),
    buckets: mapOf<number, number>(type<number>()),
    waiting: value(0),
  },
  timers: { bucket: 'event', flush: 'clock' },
  prepare: ({ emit, state, timers, now }) => ({
    execute(payment: Featured) {
      sayAtWork();
      state.payments.set(state.payments.get() + 1);
      state.total.add(payment.amount);
      state.last.set([...state.last.get(), payment.n].slice(-5));
      const kind = `kind ${payment.amount % 3}`;
      state.kinds.set(kind, (state.kinds.get(kind) ?? 0) + 1);
      const end = payment.at - (payment.at % BUCKET) + BUCKET - 1;
      state.buckets.set(end, (state.buckets.get(end) ?? 0) + payment.amount);
      timers.bucket.set(end);
      if (state.waiting.get() === 0) timers.flush.set(now() + FLUSH);
      state.waiting.set(state.waiting.get() + 1);
      emit.accounts({
        ...payment,
        since: payment.since ?? -1,
        payments: state.payments.get(),
        total: state.total.get(),
        last: state.last.get().join(' '),
        kinds: JSON.stringify([...state.kinds.entries()]),
      });
    },
    timer: {
      bucket(end, card) {
        emit.buckets({ card: String(card), end, amount: state.buckets.get(end) ?? -1 });
        state.buckets.delete(end);
      },
      flush(_, card) {
        emit.flushed({ card: String(card), payments: state.waiting.get() });
        state.waiting.clear();
      },
    },
  }),
});

const Config = z.strictObject({
  file: z.string().optional(),
  database: z.string().default('none'),
  folder: z.string().default('none'),
});

export default topology('features', (t) => {
  const { file, database, folder } = t.config(Config);
  if (file !== undefined) {
    const read = t.spout('file', fileLines(file, { follow: true }));
    const parsed = t.bolt('parse', read.shuffle(), (line) => JSON.parse(line) as Payment);
    t.sink('collect', parsed.shuffle(), topicSink(payments));
  }
  const paid = t.spout('payments', topicSpout(payments, { group: 'features' }), {
    time: { from: (payment) => payment.at, outOfOrder: LATE, idle: '1d' },
    parallelism: 2,
  });
  const featured = t.bolt(
    'features',
    paid.fields('card'),
    features({
      mean_1m: over(
        sliding('1m', '10s'),
        mean((payment) => payment.amount),
      ),
      rate_10s: over(tumbling('10s'), rate('1s')),
      since: sinceLast(),
    }),
    { parallelism: 2 },
  );
  const slow = asyncBolt({
    concurrency: 64,
    order: 'perKey',
    execute: async (payment: Featured) => {
      if (payment.n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, payment.n % 4));
      return payment;
    },
  });
  const looked = t.bolt('look-up', featured.fields('card'), slow);
  const { accounts: all, buckets, flushed } = t.bolt('account', looked.fields('card'), account, { parallelism: 2 });
  const windows = t.bolt(
    'windows',
    paid.fields('card'),
    windowed(tumbling('10s'), { n: count(), amount: sum((payment) => payment.amount) }),
    { parallelism: 2 },
  );
  const told = t.bolt('tell', windows.shuffle(), ({ timing: _, ...tally }) => tally);

  t.sink('accounts', all.shuffle(), topicSink(accounts));
  t.sink('rows', all.shuffle(), sqliteSink({ path: database, table: 'rows' }));
  t.sink('latest', all.shuffle(), sqliteSink({ path: database, table: 'latest', key: ['card'] }));
  t.sink('files', all.shuffle(), filesSink(folder, { extension: 'jsonl' }));
  t.sink('buckets', buckets.shuffle(), sqliteSink({ path: database, table: 'buckets' }));
  t.sink('flushed', flushed.shuffle(), sqliteSink({ path: database, table: 'flushed' }));
  t.sink('tallies', told.shuffle(), topicSink(tallies));

  return { paid }; // what the model feeds
});
