/** Word count as a person runs it: over a file, and over a socket. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command, millrace, millraceUntil, temporaryFolder } from '../testing/command.ts';
import type { WordCount } from './topics.ts';

const wordCount = join(import.meta.dirname, 'word-count.ts');
const rawRecords = join(import.meta.dirname, '..', 'testing', 'raw-records.ts');
const expected = readFileSync(join(import.meta.dirname, 'expected-output.txt'), 'utf8');

interface Ledgered {
  readonly component: string;
  readonly cause: string;
  readonly detail: string;
  readonly origin: { readonly split: string; readonly position: number };
}

/** Cause, offset and the end of the detail of what the ledger holds, in the order of the topic. */
async function ledgered(t: TestContext, data: string) {
  const { stdout } = await millrace(t, 'ledger', 'list', '--data', data, '--json');
  const { entries } = JSON.parse(stdout) as { entries: Ledgered[] };
  for (const { component, origin } of entries)
    assert.deepEqual([component, origin.split], ['sentences', 'sentences-0']);
  return entries
    .map(({ cause, detail, origin }) => [origin.position, cause, detail] as const)
    .sort(([a], [b]) => a - b);
}

/** The newest count of each word in the topic. */
async function counted(t: TestContext, data: string): Promise<ReadonlyMap<string, number>> {
  const { stdout } = await millrace(t, 'consume', 'word_counts', '--data', data);
  const records = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as WordCount);
  return new Map(records.map(({ word, count }) => [word, count]));
}

test('a file: its top words on screen, its counts in a topic, its bad lines in the ledger', {
  timeout: 60_000,
}, async (t) => {
  const data = temporaryFolder(t);
  const [heading] = expected.split('\n');
  const { stdout } = await millraceUntil(t, new RegExp(`${heading}\n[^T]+\n`), 'run', wordCount, '--data', data);
  assert.ok(stdout.endsWith(expected), stdout);
  const counts = await counted(t, data);
  for (const [, word, count] of expected.matchAll(/\d+\. (\S+) +(\d+)/g))
    assert.equal(counts.get(word!), Number(count));
  assert.deepEqual(await ledgered(t, data), [
    [5, 'malformed', 'an empty line'],
    [8, 'malformed', 'a line without a word'],
  ]);
});

test('a socket: lines are counted as they come; a record without a value is in the ledger as well', {
  timeout: 60_000,
}, async (t) => {
  const data = temporaryFolder(t);
  const values = JSON.stringify(['a stream of water', null]);
  await millrace(t, 'run', rawRecords, '--data', data, '--set', 'topic="sentences"', '--set', `values=${values}`);

  const running = new Command(t, ['run', wordCount, '--data', data, '--set', 'source=socket', '--set', 'port=0']);
  const [, port] = await running.shows(/listening on 127\.0\.0\.1:(\d+)/);
  const client = connect(Number(port), '127.0.0.1').end('The streams\n\n?!\nthe mills and the mill\n');
  await running.shows(/Top words of 5\n[^T]+\n/);
  client.destroy();
  running.interrupt();
  await running.ended;
  assert.deepEqual(Object.fromEntries(await counted(t, data)), { stream: 2, water: 1, mill: 2 });
  assert.deepEqual(await ledgered(t, data), [
    [1, 'null', 'the record has no value'],
    [3, 'malformed', 'an empty line'],
    [4, 'malformed', 'a line without a word'],
  ]);
});
