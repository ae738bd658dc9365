import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { testRun } from 'millrace/testing';
import detector from './detector.ts';
import type { Leaderboard } from './leaders.ts';
import type { Alert, Reading } from './readings.ts';
import { measurements, READINGS_PER_SECOND } from './sensors.ts';
import { alertLine, leaderLines } from './view.ts';

const START = Date.UTC(2026, 0, 1, 12);

/** The whole detector for so many seconds of virtual time. What is recorded in the topic is read from there at once. */
async function detected(seconds: number, seed = 1) {
  const run = testRun(detector, { start: START });
  const shown: string[] = [];
  const measured = measurements(seed);
  let devices: readonly string[] = [];
  for (let i = 0; i < seconds * READINGS_PER_SECOND; i++) {
    run.feed('measured', measured.next().value);
    for (const reading of run.written('record') as Reading[]) run.feed('readings', reading, reading.timestamp);
    await run.advance(1000 / READINGS_PER_SECOND);
    shown.push(...(run.written('show-alerts') as Alert[]).map(alertLine));
    shown.push(...(run.written('show-leaders') as Leaderboard[]).flatMap(leaderLines));
    devices = (run.written('show-devices') as string[][]).at(-1) ?? devices;
  }
  return { run, devices: devices.map(stripVTControlCharacters), shown: shown.map(stripVTControlCharacters) };
}

const expected = readFileSync(join(import.meta.dirname, 'expected-output.txt'), 'utf8');

test('half a minute of seed 1 shows what expected-output.txt says', async () => {
  const { shown } = await detected(30);
  assert.equal(`${shown.join('\n')}\n`, expected);
});

test('the same seed shows the same, another seed something else', async () => {
  const [once, again, other] = await Promise.all([detected(5), detected(5), detected(5, 2)]);
  assert.deepEqual(again.shown, once.shown);
  assert.notDeepEqual(other.shown, once.shown);
});

test('the first alert is there within a second', async () => {
  const { shown } = await detected(1);
  assert.match(shown[0] ?? '', /ALERT/);
});

test('the devices have a line each', async () => {
  const { devices } = await detected(4);
  assert.equal(devices[0], 'Devices');
  assert.deepEqual(
    devices.slice(1).map((line) => line.trim().split(/\s+/)[0]),
    ['sensor-1', 'sensor-2', 'sensor-3', 'sensor-4', 'sensor-5'],
  );
  assert.match(devices[1]!, /^ {2}sensor-1 {2,}\d+\.\d +\d+ alerts? +[▁▂▃▄▅▆▇█]{30,40}$/);
});

test('a seed that is no number is refused before anything runs', () => {
  assert.throws(() => detector.build({ seed: 'one' }), { code: 'MR_SCHEMA', message: /seed/ });
  assert.throws(() => detector.build({ sede: 1 }), { code: 'MR_SCHEMA', message: /sede/ });
});
