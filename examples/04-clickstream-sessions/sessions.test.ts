import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testRun } from 'millrace/testing';
import { millrace, temporaryFolder } from '../testing/command.ts';
import { type Click, clicks } from './clicks.ts';
import sessions, { type Visit } from './sessions.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const expected = readFileSync(join(import.meta.dirname, 'expected-output.txt'), 'utf8')
  .trimEnd()
  .split('\n');

async function visitsOf(all: readonly Click[]): Promise<Visit[]> {
  const run = testRun(sessions);
  for (const click of all) run.feed('clicked', click, click.at);
  await run.watermark(Number.POSITIVE_INFINITY);
  assert.deepEqual(run.ledger(), []);
  return run.read('visit');
}

test('a day of seed 1 has the visits of expected-output.txt', async () => {
  const visits = await visitsOf(clicks(1, START));
  assert.deepEqual(visits.map((visit) => JSON.stringify(visit)).sort(), expected);
});

test('half an hour without a click ends a visit, whatever the order in which clicks come', async () => {
  const at = (minute: number, page: string): Click => ({ visitor: 'v', page, at: START + minute * MINUTE });
  const visits = await visitsOf([at(29, '/b'), at(0, '/a'), at(58, '/checkout'), at(90, '/d')]);
  assert.deepEqual(
    visits.map(({ seconds, path, bought }) => [seconds, path, bought]),
    [
      [58 * 60, ['/a', '/b', '/checkout'], true],
      [0, ['/d'], false],
    ],
  );
});

test('a visit comes out when half an hour and the minute of lateness have passed', async () => {
  const run = testRun(sessions);
  run.feed('clicked', { visitor: 'v', page: '/', at: START }, START);
  await run.watermark(START + 30 * MINUTE - 2);
  assert.deepEqual(run.read('visit'), []);
  await run.watermark(START + 30 * MINUTE - 1);
  assert.equal(run.read('visit').length, 1);
});

test('as a person runs it', { timeout: 60_000 }, async (t) => {
  const data = temporaryFolder(t);
  const { stdout } = await millrace(t, 'run', join(import.meta.dirname, 'sessions.ts'), '--data', data, '--no-kafka');
  assert.deepEqual(stdout.trimEnd().split('\n').sort(), expected);
});
