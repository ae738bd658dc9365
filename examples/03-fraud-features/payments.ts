/** What flows: payments, and those that look like fraud; and simulated cards that pay. */
import { json, topic } from 'millrace/topic';
import * as z from 'zod';

export type Payment = z.infer<typeof Payment>;
export const Payment = z.object({
  card: z.string().min(1),
  amount: z.number().positive(),
  /** Event time: when it was paid, milliseconds since 1970. */
  at: z.int().nonnegative(),
});

/** A payment with what its card's recent past says of it. */
export type Scored = z.infer<typeof Scored>;
export const Scored = Payment.extend({
  /** Mean of the card's amounts in the last hour, this one included. */
  avg_transaction_amount_1h: z.number(),
  /** The card's payments per minute in the five minutes that this one is in. */
  transaction_rate_5m: z.number(),
  /** Milliseconds since the card's payment before; absent for the first in thirty days. */
  time_since_last_transaction: z.number().optional(),
  /** 0 to 1: how likely it is fraud. */
  score: z.number(),
});

export const suspicious = topic('suspicious_payments', {
  value: json(Scored),
  key: (payment) => payment.card,
  time: (payment) => payment.at,
});

export const CARDS = 200;
/** One card in so many is stolen within the day, and then pays often and much. */
const STOLEN = 25;
const HOUR = 3_600_000;

/** A day of payments from `start` on, in the order in which they come in: up to five seconds late. */
export function payments(seed: number, start: number): Payment[] {
  const random = randomNumbers(seed);
  const all: (Payment & { readonly arrives: number })[] = [];
  const pay = (card: string, at: number, amount: number) =>
    all.push({ card, amount: Math.round(amount * 100) / 100, at, arrives: at + Math.floor(random() * 5000) });
  for (let c = 1; c <= CARDS; c++) {
    const card = `card-${c}`;
    const usual = 5 + 60 * random();
    for (let at = random() * 5 * HOUR; at < 24 * HOUR; at += (0.2 + 8 * random()) * HOUR)
      pay(card, Math.floor(start + at), usual * (0.5 + random()));
    if (c % STOLEN !== 0) continue;
    const stolen = (8 + 12 * random()) * HOUR;
    for (let i = 0; i < 12; i++)
      pay(card, Math.floor(start + stolen + i * 20_000 * (0.5 + random())), usual * (3 + 7 * random()));
  }
  return all.sort((a, b) => a.arrives - b.arrives).map(({ card, amount, at }) => ({ card, amount, at }));
}

/** A linear congruential generator (Numerical Recipes): enough for a simulation. */
function randomNumbers(seed: number): () => number {
  let state = (seed * 2_654_435_769) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
