/**
 * Fraud features: card payments, three features of each from its card's past, a score, and those above a half to a topic.
 * A day of payments goes through in a moment.
 *
 *     npx millrace run fraud.ts
 */
import { features, generatorSpout, mean, over, rate, sinceLast, sink, sliding, topology, tumbling } from 'millrace';
import { run, screen } from 'millrace/engine';
import { topicSink } from 'millrace/topic';
import * as z from 'zod';
import { payments, type Scored, suspicious } from './payments.ts';
import { score } from './score.ts';

const Config = z.strictObject({
  /** Of the cards. */
  seed: z.int().default(1),
});

const show = sink<Scored>({
  mode: 'append',
  batch: { size: 100, every: '20ms' },
  open: (task) => ({ write: (values) => values.forEach((payment) => void task.use(screen).log(lineOf(payment))) }),
});

export default topology('fraud', (t) => {
  const { seed } = t.config(Config);
  const start = Date.UTC(2026, 0, 1);

  // A payment comes in up to five seconds late. It is scored when no earlier one is expected any more.
  const paid = t.spout(
    'payments',
    generatorSpout(() => payments(seed, start)),
    { time: { from: (payment) => payment.at, outOfOrder: '5s' } },
  );
  const known = t.bolt(
    'features',
    paid.fields('card'),
    features({
      avg_transaction_amount_1h: over(
        sliding('1h', '1m'),
        mean((payment) => payment.amount),
      ),
      transaction_rate_5m: over(tumbling('5m'), rate('1m')),
      time_since_last_transaction: sinceLast('30d'),
    }),
    { parallelism: 2 },
  );
  const scored = t.bolt('score', known.shuffle(), score);
  const alerts = t.bolt('alerts', scored.shuffle(), (payment) => (payment.score > 0.5 ? payment : undefined));
  t.sink('suspicious', alerts.shuffle(), topicSink(suspicious));
  t.sink('show', alerts.shuffle(), show);

  return { paid, scored, alerts }; // what a test feeds and reads
});

export function lineOf({ card, amount, at, score, ...payment }: Scored): string {
  const { avg_transaction_amount_1h: mean, transaction_rate_5m: rate } = payment;
  const clock = new Date(at).toISOString().slice(11, 19);
  const past = `mean of the hour ${mean.toFixed(2).padStart(6)}  ${rate.toFixed(1)} per minute`;
  return `${clock}  ${card.padEnd(8)}  ${amount.toFixed(2).padStart(7)}  ${past}  score ${score.toFixed(2)}`;
}

if (import.meta.main) await run(import.meta.url);
