import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testRun } from 'millrace/testing';
import { millrace, temporaryFolder } from '../testing/command.ts';
import fraud, { lineOf } from './fraud.ts';
import { CARDS, type Payment, payments } from './payments.ts';
import { score } from './score.ts';

const START = Date.UTC(2026, 0, 1);
const expected = readFileSync(join(import.meta.dirname, 'expected-output.txt'), 'utf8')
  .trimEnd()
  .split('\n');

/** Everything that comes of these payments, in the order in which they come in. */
async function run(all: readonly Payment[], encodeEdges = false) {
  const run = testRun(fraud, { encodeEdges });
  for (const payment of all) run.feed('paid', payment, payment.at);
  await run.watermark(Number.POSITIVE_INFINITY);
  return { scored: run.read('scored'), alerts: run.read('alerts'), ledger: run.ledger() };
}

test('a day of seed 1 shows what expected-output.txt says, also with all edges encoded', async () => {
  for (const encodeEdges of [false, true]) {
    const { alerts, ledger } = await run(payments(1, START), encodeEdges);
    assert.deepEqual(alerts.map(lineOf).sort(), expected);
    assert.deepEqual(ledger, []);
  }
});

test('the features are those of the payments in their order, however they come in', async () => {
  const late = await run(payments(1, START));
  const inOrder = await run(payments(1, START).toSorted((a, b) => a.at - b.at));
  const byCard = (scored: typeof late.scored) => scored.toSorted((a, b) => (a.card < b.card ? -1 : 1) || a.at - b.at);
  assert.deepEqual(byCard(late.scored), byCard(inOrder.scored));
});

test('mean of the hour, payments per minute, time since the last one', async () => {
  const minute = 60_000;
  const { scored } = await run([
    { card: 'a', amount: 10, at: START },
    { card: 'a', amount: 20, at: START + 4 * minute },
    { card: 'a', amount: 90, at: START + 63 * minute },
  ]);
  assert.deepEqual(
    scored.map(({ amount, avg_transaction_amount_1h, transaction_rate_5m, time_since_last_transaction }) => [
      amount,
      avg_transaction_amount_1h,
      transaction_rate_5m,
      time_since_last_transaction,
    ]),
    [
      [10, 10, 0.2, undefined],
      [20, 15, 0.4, 4 * minute],
      [90, 55, 0.2, 59 * minute],
    ],
  );
});

test('the score rises with the rate and the amounts, and falls with the time since the last payment', () => {
  const quiet = { avg_transaction_amount_1h: 20, transaction_rate_5m: 0.2, time_since_last_transaction: 3_600_000 };
  const of = (other: Partial<typeof quiet>) => score({ card: 'a', amount: 20, at: START, ...quiet, ...other }).score;
  assert.ok(of({}) < 0.1);
  assert.ok(of({ transaction_rate_5m: 2 }) > of({}));
  assert.ok(of({ avg_transaction_amount_1h: 200 }) > of({}));
  assert.ok(of({ time_since_last_transaction: 1000 }) > of({}));
});

test('the simulation: all cards pay, and payments come in up to five seconds late', () => {
  const all = payments(1, START);
  assert.equal(new Set(all.map(({ card }) => card)).size, CARDS);
  let newest = 0;
  let late = 0;
  for (const { at } of all) {
    if (at < newest) late++;
    assert.ok(at > newest - 5000);
    newest = Math.max(newest, at);
  }
  assert.ok(late > 0);
});

test('as a person runs it: the suspicious payments are on screen and in the topic', { timeout: 60_000 }, async (t) => {
  const data = temporaryFolder(t);
  const { stdout } = await millrace(t, 'run', join(import.meta.dirname, 'fraud.ts'), '--data', data, '--no-kafka');
  assert.deepEqual(stdout.trimEnd().split('\n').sort(), expected);
  const topic = await millrace(t, 'consume', 'suspicious_payments', '--data', data);
  assert.equal(topic.stdout.trimEnd().split('\n').length, expected.length);
});
