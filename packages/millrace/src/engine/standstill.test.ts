/** What the log says unasked when nothing comes out, and when it says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Duration } from '../duration.ts';
import { bolt, sink, topology, type } from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

const nowhere = sink<unknown>({ mode: 'append', batch: { size: 1, every: 0 }, write: () => {} });

/** Gives its input on a minute later in event time, if it is to. */
const late = (timers: 'event' | 'clock' = 'event') =>
  bolt({
    emits: type<number>(),
    timers: { later: timers },
    prepare: ({ emit, timers: { later } }) => ({
      execute: (at: number) => later.set(at + 60_000),
      timer: { later: (time) => emit(time) },
    }),
  });

async function started(
  splits: { readonly [split: string]: number[] },
  { timers, idle = '1h' }: { timers?: 'event' | 'clock'; idle?: Duration } = {},
) {
  const source = new ArraySource(type<number>(), splits, true);
  const built = topology('t', (t) => {
    const raw = t.spout('in', source.spout, { time: { from: (at) => at, idle } });
    const first = t.bolt('first', raw.global(), late(timers));
    t.sink('out', first.shuffle(), nowhere);
    t.sink('other', t.bolt('second', raw.global(), late(timers)).shuffle(), nowhere);
  });
  const { runtime, running, log } = await startVirtual(built);
  const give = async (split: string, ...records: readonly number[]) => {
    splits[split]!.push(...records);
    source.wake();
    await runtime.settle();
  };
  return { runtime, running, give, said: () => log.splice(0) };
}

test('a minute without output while time stands is told once, for all that the same split holds, and again after ten minutes', async () => {
  const { runtime, said } = await started({ a: [100, 200_000], b: [] });
  await runtime.advance('59s');
  assert.deepEqual(said(), []);
  await runtime.advance('15s');
  const [line, ...others] = said();
  assert.deepEqual(others, []);
  assert.match(
    line!,
    /^first: has given nothing for 1m\. The timer 'later' of 1970-01-01T00:01:00\.100Z for key \[\] in 'first' waits for event time, which has not begun there\. Split 'b' of 'in' \(task 0\) holds it: .+ It is told when .+ So it is with 'second'\.$/,
  );
  await runtime.advance('9m');
  assert.deepEqual(said(), []);
  await runtime.advance('1m');
  assert.match(said().join('\n'), /^first: has given nothing for 11m/);
});

test('it is told again as soon as it stands for another reason, and anew after something came out', async () => {
  const { runtime, running, give, said } = await started({ a: [100], b: [] });
  await runtime.advance('70s');
  assert.match(said().join('\n'), /Split 'b' of 'in'.*holds it/);
  await give('b', 90_000);
  await runtime.advance('75s');
  assert.deepEqual(said(), [], 'time has moved: it is no news within ten minutes');
  await give('a', 70_000);
  assert.ok(running.metrics().components.find(({ component }) => component === 'first')!.streams[0]!.emitted > 0);
  await runtime.advance('50s');
  assert.deepEqual(said(), []);
  await runtime.advance('25s');
  assert.match(
    said().join('\n'),
    /^first: has given nothing for 1m.*Split 'a' of 'in'.*holds it at 1970-01-01T00:01:09\.999Z/,
  );
  running.deactivate();
  await runtime.advance('1h');
  assert.deepEqual(said(), [], 'its spouts are silent on purpose');
});

test('another split that holds the same moment is another reason', async () => {
  const { runtime, give, said } = await started({ a: [], b: [], c: [100] });
  await runtime.advance('70s');
  assert.match(said().join('\n'), /Split 'a' of 'in'.*holds it/);
  await give('a', 50);
  await runtime.advance('10s');
  assert.match(said().join('\n'), /Split 'b' of 'in'.*holds it/);
});

test('where time moves on and something has come out before, nothing is said', async () => {
  const { runtime, give, said } = await started({ a: [0, 60_000, 60_001] });
  for (let at = 61_000; at < 100_000; at += 1000) {
    await give('a', at);
    await runtime.advance('5s');
  }
  assert.deepEqual(said(), []);
});

test('where time moves on it is told once, and only while nothing has ever come out', async () => {
  const { runtime, give, said } = await started({ a: [100] });
  for (let at = 200; at < 20_200; at += 100) {
    await give('a', at);
    await runtime.advance('5s');
  }
  const [line, ...others] = said();
  assert.match(
    line!,
    /^first: has given nothing for 1m\. The timer .+ short of it\. It moves on\. So it is with 'second'\.$/,
  );
  assert.deepEqual(others, []);
});

test('nothing is said where no event timer waits, or what comes out keeps up', async () => {
  const clock = await started({ a: [100] }, { timers: 'clock' });
  await clock.runtime.advance('1h');
  assert.deepEqual(clock.said(), []);
  const none = await started({ a: [] });
  await none.runtime.advance('1h');
  assert.deepEqual(none.said(), []);
  const busy = await started({ a: [] });
  for (let at = 0; at < 10_800_000; at += 90_000) {
    await busy.give('a', at);
    await busy.runtime.advance('30s');
  }
  assert.deepEqual(busy.said(), []);
});

test('that all sources are idle is told once', async () => {
  const { runtime, said } = await started({ a: [100] }, { idle: '5s' });
  await runtime.advance('1h');
  const [line, ...others] = said();
  assert.match(line!, /It stands, as all sources are idle: split 'a' of 'in'/);
  assert.deepEqual(others, []);
});

test('a bolt that gives nothing to anybody is told of when event time stands still, and not while it moves', async () => {
  const source = new ArraySource(type<number>(), { a: [100], b: [] }, true);
  const quiet = bolt({
    timers: { later: 'event' },
    prepare: ({ timers: { later } }) => ({
      execute: (at: number) => later.set(at + 10_000_000),
      timer: { later() {} },
    }),
  });
  const built = topology('t', (t) => {
    t.bolt(
      'quiet',
      t.spout('in', source.spout, { time: { from: (at) => at, whenIdle: 'clock', idle: '5m' } }).global(),
      quiet,
    );
  });
  const { runtime, log } = await startVirtual(built);
  await runtime.advance('80s');
  assert.match(log.splice(0).join('\n'), /^quiet: has given nothing for 1m/);
  await runtime.advance('1h');
  assert.deepEqual(log, [], 'both are idle, and event time goes on with the clock');
  const moving = topology('t', (t) => {
    const raw = t.spout('in', new ArraySource(type<number>(), { a: [100] }, true).spout, { time: 'ingestion' });
    t.bolt('quiet', raw.global(), quiet);
  });
  const { runtime: other, log: otherLog } = await startVirtual(moving);
  await other.advance('1h');
  assert.deepEqual(otherLog, []);
});
