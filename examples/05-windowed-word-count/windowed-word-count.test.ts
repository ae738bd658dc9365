import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { testRun } from 'millrace/testing';
import { Command, temporaryFolder } from '../testing/command.ts';
import wordCount from './windowed-word-count.ts';

const START = Date.UTC(2026, 0, 1, 12);

test('each window has its own words, the most frequent ones first', async () => {
  const run = testRun(wordCount, { start: START });
  for (const [second, line] of [
    [1, 'the mill and the river'],
    [4, 'river of grain, river of flour'],
    [9.999, 'mills'],
    [10, 'a new window'],
  ] as const)
    run.feed('lines', line, START + second * 1000);
  await run.watermark(START + 9999);
  assert.deepEqual(run.read('text'), ['12:00:00–12:00:10  river 3  mill 2  grain 1  flour 1']);
  await run.watermark(START + 19_999);
  assert.deepEqual(run.read('text'), ['12:00:10–12:00:20  new 1  window 1']);
  assert.deepEqual(run.ledger(), []);
});

test('as a person runs it: windows close while nobody writes', { timeout: 60_000 }, async (t) => {
  const data = temporaryFolder(t);
  const module = join(import.meta.dirname, 'windowed-word-count.ts');
  const settings = ['--set', 'port=0', '--set', 'seconds=1'];
  const running = new Command(t, ['run', module, '--data', data, '--no-kafka', ...settings]);
  const [, port] = await running.shows(/listening on 127\.0\.0\.1:(\d+)/);
  const client = connect(Number(port), '127.0.0.1');
  client.write('a mill, a mill\n');
  await running.shows(/ {2}mill 2\n/);
  client.write('the river\n');
  await running.shows(/ {2}river 1\n/);
  client.destroy();
  running.interrupt();
  await running.ended;
});
