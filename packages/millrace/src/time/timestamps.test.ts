import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedRuntime } from '../runtime/simulated.ts';
import type { SpoutTime } from '../topology/event-time.ts';
import { timeSettings } from '../topology/options.ts';
import { Timestamps } from './timestamps.ts';

const DAY = 86_400_000;
const START = 1_700_000_000_000;

function timestamps(time: SpoutTime<never> | undefined, timed = true) {
  const runtime = simulatedRuntime({ seed: 1, start: START });
  return { runtime, times: Timestamps.for(timeSettings('s', time), timed, runtime.clock)! };
}

test('a time that its source gave is taken as it is: from 1970 to a day ahead of the clock', () => {
  const { times } = timestamps(undefined);
  for (const time of [0, 0.5, 12, START, START + DAY]) assert.equal(times.of('x', time), time);
});

test('what is no time is refused, and the reason says what it is', () => {
  const { times } = timestamps(undefined);
  const refused = (time: unknown) => {
    assert.ok(Number.isNaN(times.of('x', time as number)), String(time));
    return times.refusal;
  };
  const not = 'which is not a number of milliseconds since 1970, 0 or more';
  assert.equal(refused(Number.NaN), `its time is NaN, ${not}`);
  assert.equal(refused(Infinity), `its time is Infinity, ${not}`);
  assert.equal(refused(-Infinity), `its time is -Infinity, ${not}`);
  assert.equal(refused(-1), `its time is -1, ${not}`);
  assert.equal(refused('12'), `its time is '12', ${not}`);
  assert.equal(refused(undefined), `its time is undefined, ${not}`);
  assert.equal(refused(new Date(0)), `its time is 1970-01-01T00:00:00.000Z, ${not}`);
  assert.equal(times.of('x', 5), 5);
});

test('a bad clock is refused: its time is further ahead of ours than is allowed', () => {
  const { times } = timestamps({ ahead: '1h' });
  assert.equal(times.of('x', START + 3_600_000), START + 3_600_000);
  assert.ok(Number.isNaN(times.of('x', START + 3_600_001)));
  const year3000 = Date.UTC(3000, 0, 1);
  assert.ok(Number.isNaN(times.of('x', year3000)));
  assert.match(
    times.refusal,
    /^its time 32503680000000 \(3000-01-01T00:00:00.000Z\) is 3565\d\dd\w* ahead of the clock;/,
  );
  assert.match(times.refusal, /allowed is 1h, by the option time.ahead$/);
  assert.ok(Number.isNaN(times.of('x', 1e300)));
});

test('the limit moves on with the clock', async () => {
  const { runtime, times } = timestamps({ ahead: 1000 });
  assert.ok(Number.isNaN(times.of('x', START + 1500)));
  await runtime.advance(500);
  assert.equal(times.of('x', START + 1500), START + 1500);
  assert.ok(Number.isNaN(times.of('x', START + 1501)));
});

test('a function gives the time, whatever its source says; one that throws is a reason to refuse', () => {
  const from = (value: { at?: number }) => {
    if (value.at === undefined) throw new Error('no field at');
    return value.at;
  };
  const { times } = timestamps({ from });
  assert.equal(times.of({ at: 7 }, Number.NaN), 7);
  assert.ok(Number.isNaN(times.of({}, 3)));
  assert.equal(times.refusal, 'the function for its time threw: no field at');
  assert.ok(Number.isNaN(times.of({ at: Number.NaN }, 3)));
});

test('by ingestion a record has the time at which it is taken, which never goes back', () => {
  let now = 1000;
  const clock = { now: () => now, monotonic: () => 0 };
  const times = Timestamps.for(timeSettings('s', 'ingestion'), false, clock)!;
  assert.equal(times.of('x', Number.NaN), 1000);
  now = 900;
  assert.equal(times.of('x', 5), 1000);
  now = 1100;
  assert.equal(times.of('x', 5), 1100);
});

test('where nobody asks for event time, only the time function is called', () => {
  assert.equal(timestamps({}, false).times, undefined);
  assert.ok(timestamps({ from: () => 0 }, false).times);
});
