import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PathGuarantee } from '../../topology/receipt.ts';
import { wrong } from './compare.ts';

interface Row {
  readonly key: string;
  readonly n: number;
}
const row = (text: string): Row => ({ key: text[0]!, n: Number(text.slice(1)) });
const rows = (text: string) => text.split(' ').filter(Boolean).map(row);
const keyOf = ({ key }: Row) => key;

const compared = (guarantee: PathGuarantee, expected: string, came: string, ordered = true) =>
  wrong('out', rows(expected), rows(came), { guarantee, keyOf: ordered ? keyOf : undefined });

test('exactly-once: the same values as often, and those of one key in the same order', () => {
  assert.equal(compared('exactly-once', 'a1 b1 a2', 'b1 a1 a2'), undefined);
  assert.match(compared('exactly-once', 'a1 b1', 'a1')!, /^'out' \(exactly-once\): 1 missing: \{ key: 'b', n: 1 \}$/);
  assert.match(compared('exactly-once', 'a1', 'a1 a1')!, /1 too many: \{ key: 'a', n: 1 \}/);
  assert.match(compared('exactly-once', 'a1 a2', 'a2 a1')!, /key 'a' has another order: .*n: 1.* where .*n: 2/);
  assert.equal(compared('exactly-once', 'a1 a2', 'a2 a1', false), undefined);
});

test('at-least-once: nothing missing, nothing invented, and as often as it likes', () => {
  assert.equal(compared('at-least-once', 'a1 a2', 'a2 a1 a2'), undefined);
  assert.match(compared('at-least-once', 'a1 a2', 'a1 a1')!, /1 missing/);
  assert.match(compared('at-least-once', 'a1', 'a1 a3')!, /1 too many/);
});

test('convergent: the last word on each key', () => {
  assert.equal(compared('convergent', 'a1 a2 b1', 'b1 a1 a2 a1 a2'), undefined);
  assert.match(compared('convergent', 'a1 a2', 'a2 a1')!, /1 missing: .*n: 2.*1 too many: .*n: 1/);
  assert.match(compared('convergent', 'a1 b1', 'a1')!, /1 missing/);
});

test('of fractions twelve digits count, since a sum depends on its order', () => {
  const sums = (came: number) => wrong('out', [0.1 + 0.2], [came], { guarantee: 'exactly-once', keyOf: undefined });
  assert.equal(sums(0.3), undefined);
  assert.match(sums(0.3000001)!, /missing/);
});
