import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { Path, Receipt } from '../topology/receipt.ts';
import { receiptLines, shortReceipt } from './receipt-text.ts';

const path = (end: string, guarantee: Path['guarantee'], limits: Path['limits'] = [], note?: string): Path => ({
  spout: 'raw',
  end,
  components: ['raw', end],
  guarantee,
  limits,
  ...(note === undefined ? {} : { note }),
});
const limit = { why: 'it writes at once', remedy: 'write later' };
const receipt: Receipt = {
  topology: 'demo',
  asked: undefined,
  keeps: 'checkpoints',
  paths: [
    path('out', 'exactly-once'),
    path('totals', 'exactly-once', [], 'of its state'),
    path('rows', 'convergent', [limit]),
    path('more', 'convergent', [limit, { why: 'and again', remedy: 'not again' }]),
  ],
};

test('the receipt aligns each path with its reasons, explains the words that it uses, and says how to get more, once', () => {
  const [first, second, , ...lines] = receiptLines(receipt).map(stripVTControlCharacters);
  assert.equal(first, 'demo: each path gets the most that it allows.');
  assert.match(second!, /in checkpoints\.$/);
  assert.deepEqual(lines.slice(0, 5), [
    'FROM  TO      GUARANTEE     BECAUSE',
    'raw   out     exactly-once',
    'raw   totals  exactly-once  of its state',
    'raw   rows    convergent    it writes at once',
    'raw   more    convergent    it writes at once; and again',
  ]);
  assert.match(lines[6]!, /^exactly-once {2}each record counts once/);
  assert.match(lines[7]!, /^convergent {4}rows are written by key/);
  assert.deepEqual(lines.slice(9, 12), ['For more:', '- write later', '- not again']);
  assert.match(lines.at(-1)!, /^What a bolt itself does to the outside world .+ under no guarantee/);
  assert.equal(lines.filter((line) => /at-(least|most)-once/.test(line)).length, 0);
});

test('what was asked for is said, and there is nothing to get where nothing is limited', () => {
  const least = receiptLines({ ...receipt, asked: 'exactly-once', paths: receipt.paths.slice(0, 1) });
  assert.equal(least[0], 'demo: exactly-once was asked for.');
  assert.ok(!least.includes('For more:'));
});

test('a start says one line for each path, and how many more there are', () => {
  assert.deepEqual(shortReceipt(receipt), [
    'raw → out     exactly-once',
    'raw → totals  exactly-once',
    'raw → rows    convergent: it writes at once',
    'raw → more    convergent: it writes at once; and again',
  ]);
  const many = { ...receipt, paths: Array.from({ length: 20 }, (_, n) => path(`out-${n}`, 'exactly-once')) };
  assert.deepEqual(shortReceipt(many).slice(7), [
    'raw → out-7  exactly-once',
    "and 12 paths more: 'millrace receipt' shows all of 'demo'",
  ]);
  assert.match(shortReceipt({ ...receipt, paths: [] })[0]!, /^no path leads anywhere/);
});
