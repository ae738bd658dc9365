import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { byteText, groupedDigits, latencyText, tableLines } from './table.ts';
import { cutText, textWidth, visible } from './text-width.ts';

const head = [{ title: 'NAME' }, { title: 'COUNT', right: true }];
const table = (rows: (string | number | undefined)[][], columns?: number) =>
  tableLines(head, rows, columns).map(stripVTControlCharacters);

test('columns are aligned, numbers at the right, and nothing is cut in a pipe', () => {
  const long = 'x'.repeat(200);
  assert.deepEqual(
    table([
      ['a', 1],
      [long, 1234567],
      ['日本', undefined],
    ]),
    [
      `NAME${' '.repeat(198)}    COUNT`,
      `a${' '.repeat(201)}        1`,
      `${long}  1 234 567`,
      `日本${' '.repeat(198)}        –`,
    ],
  );
});

test('the widest column is cut to the terminal', () => {
  const lines = table([['a-rather-long-name', 12]], 20);
  assert.deepEqual(lines, ['NAME           COUNT', 'a-rather-lon…     12']);
  assert.ok(lines.every((line) => textWidth(line) <= 20));
});

test('on a terminal too narrow for columns each field has a line', () => {
  const rows = [
    ['first-one', 1],
    ['second-one', 2],
  ];
  assert.deepEqual(table(rows, 12), ['NAME   firs…', 'COUNT  1', '', 'NAME   seco…', 'COUNT  2']);
});

test('an id is never cut: the other columns give way, or each field has a line', () => {
  const ids = [{ title: 'DETAIL' }, { title: 'ID', whole: true }];
  const lines = (columns: number) =>
    tableLines(ids, [['what happened here', 'job:reader:0']], columns).map(stripVTControlCharacters);
  assert.deepEqual(lines(24), ['DETAIL      ID', 'what happ…  job:reader:0']);
  assert.deepEqual(lines(16), ['DETAIL  what ha…', 'ID      job:reader:0']);
});

test('control characters in data cannot reach the terminal', () => {
  assert.equal(visible('a\x1b[2Jb\nc\x9b'), 'a\\x1b[2Jb\\nc\\x9b');
  assert.match(table([['\x1b]0;title\x07', 1]])[1]!, /\\x1b\]0;title\\x07/);
});

test('cutting counts what a terminal shows, and closes colours', () => {
  assert.equal(textWidth('\x1b[31mrot\x1b[39m'), 3);
  assert.equal(textWidth('é日🎉'), 5);
  assert.equal(cutText('\x1b[31mabcdef\x1b[39m', 4), '\x1b[31mabc…\x1b[0m');
  assert.equal(cutText('日本語', 4), '日…');
  assert.equal(cutText('abcd', 4), 'abcd');
});

test('numbers, sizes and latencies read well', () => {
  assert.deepEqual([0, 999, 1000, 1234567].map(groupedDigits), ['0', '999', '1 000', '1 234 567']);
  assert.deepEqual([0, 850, 12_400_000, 3e13].map(byteText), ['0', '850 B', '12.4 MB', '30.0 TB']);
  assert.deepEqual([0.123, 12.34, 456.7, 1250].map(latencyText), ['0.12 ms', '12.3 ms', '457 ms', '1.25 s']);
});
