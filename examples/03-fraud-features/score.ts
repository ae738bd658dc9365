/** The model: a logistic regression over the three features. Its weights stand for what training would give. */
import type { Scored } from './payments.ts';

const MINUTE = 60_000;

export function score(payment: Omit<Scored, 'score'>): Scored {
  const { avg_transaction_amount_1h, transaction_rate_5m, time_since_last_transaction } = payment;
  // Of a card that has just begun to pay nobody knows: as if its last payment had been a day ago.
  const minutes = (time_since_last_transaction ?? 24 * 60 * MINUTE) / MINUTE;
  const log = 3 * transaction_rate_5m + avg_transaction_amount_1h / 100 - Math.log1p(minutes) - 2;
  return { ...payment, score: 1 / (1 + Math.exp(-log)) };
}
