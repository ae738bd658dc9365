/** Event time of log spouts through the engine: what a bolt behind them hears, and what goes to the ledger. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structured } from '../codec/structured.ts';
import type { Tuple } from '../index.ts';
import { asyncBolt, manualBolt, sink, spout, topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { startVirtual } from '../testing/start-virtual.ts';
import { hears, Tap, tapped } from './source-time.fixture.ts';

test('a watermark follows the records of its batch, at both guarantees', async () => {
  for (const guarantee of ['at-least-once', 'at-most-once'] as const) {
    const tap = new Tap('a', 'b');
    const { settled } = await tapped(tap, { time: { outOfOrder: 5 } }, guarantee);
    assert.deepEqual(await settled(() => tap.give('a', 10, 30, 26)), ['10@10', '30@30', '26@26']);
    assert.deepEqual(await settled(() => tap.give('b', 20)), ['20@20', 'to 14']);
    assert.deepEqual(await settled(() => tap.give('b', 50)), ['50@50', 'to 24']);
  }
});

test('what was taken and not sent yet does not count', async () => {
  const tap = new Tap('a', 'b');
  const heard: string[] = [];
  const t = topology('slow', (b) => {
    const s = b.spout('s', tap.spout);
    b.bolt('out', s.global(), hears(heard));
    const later = asyncBolt({
      concurrency: 1,
      execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 1000)),
    });
    b.bolt('slow', s.shuffle(), later, { queue: 2 });
  });
  const { runtime } = await startVirtual(t);
  tap.give('a', 1);
  tap.give('b', 2);
  tap.give('a', 100, 101, 102, 103);
  tap.give('b', 20, 50);
  for (let left = 10_000; left > 0; left -= 100) await runtime.advance(100);
  const late = heard.filter((line, i) => {
    const time = Number(line.split('@')[1]);
    const before = heard.slice(0, i).filter((earlier) => earlier.startsWith('to '));
    return before.some((earlier) => Number(earlier.slice(3)) >= time);
  });
  assert.deepEqual(heard.slice(-2), ['50@50', 'to 49']);
  assert.deepEqual(late, []);
});

test('nothing is told while downstream is full', async () => {
  const tap = new Tap('a');
  const heard: string[] = [];
  let release = () => {};
  const stuck = asyncBolt({ concurrency: 1, execute: () => new Promise<void>((resolve) => (release = resolve)) });
  const t = topology('t', (b) => {
    const s = b.spout('s', tap.spout);
    b.bolt('out', s.global(), hears(heard));
    b.bolt('stuck', s.shuffle(), stuck, { queue: 1 });
  });
  const { runtime } = await startVirtual(t);
  tap.give('a', 100, 200);
  await runtime.settle();
  assert.deepEqual(heard, ['100@100', '200@200']);
  release();
  await runtime.settle();
  assert.deepEqual(heard, ['100@100', '200@200', 'to 199']);
});

test('a split that ends releases the others only when all it gave has been sent', async () => {
  const tap = new Tap('a', 'b');
  const { settled } = await tapped(tap, {});
  await settled(() => tap.give('a', 100));
  assert.deepEqual(
    await settled(() => {
      tap.give('b', 10, 20);
      tap.end('b');
    }),
    ['10@10', '20@20', 'to 99'],
  );
});

test('a source that has ended takes time to its end while another goes on', async () => {
  const [ends, stays] = [new Tap('a'), new Tap('b')];
  const heard: string[] = [];
  const t = topology('two', (b) => {
    const inputs = { x: b.spout('x', ends.spout).global(), y: b.spout('y', stays.spout).global() };
    b.bolt('out', inputs, hears(heard));
  });
  const { runtime, running } = await startVirtual(t);
  stays.give('b', 500);
  ends.give('a', 100);
  await runtime.settle();
  assert.deepEqual(heard.splice(0), ['100@100', '500@500', 'to 99']);
  ends.end('a');
  await runtime.settle();
  assert.deepEqual(heard.splice(0), ['to 499']);
  stays.end('b');
  await runtime.until(running.done);
  assert.deepEqual(heard, ['to Infinity']);
});

test('the end of a source is told when nothing of it is pending, and by a stop it never is', async () => {
  for (const stops of [false, true]) {
    const [ends, stays] = [new Tap('a'), new Tap('b')];
    const heard: string[] = [];
    const after = (ms: number) =>
      asyncBolt({
        concurrency: 1,
        execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), ms)),
      });
    const t = topology('two', (b) => {
      const x = b.spout('x', ends.spout);
      b.bolt('out', x.global(), hears(heard));
      b.bolt('later', x.shuffle(), after(1000));
      b.bolt('other', b.spout('y', stays.spout).shuffle(), after(2000));
    });
    const { runtime, running } = await startVirtual(t);
    ends.give('a', 100);
    stays.give('b', 100);
    ends.end('a');
    await runtime.advance(999);
    assert.deepEqual(heard.splice(0), ['100@100']);
    if (stops) await runtime.until(runtime.within(() => running.stop()));
    else await runtime.advance(1);
    assert.deepEqual(heard, stops ? [] : ['to Infinity']);
  }
});

for (const how of ['a log whose splits have ended', 'a log that has ended', 'a queue that has ended'] as const) {
  test(`${how} and of which something is pending holds nobody`, async () => {
    const [ends, stays] = [new Tap('a'), new Tap('b')];
    const heard: string[] = [];
    const queue = spout({
      emits: type<number>(),
      open: ({ emit, end }) => ({
        nextTuple() {
          emit(100, 'x', 100);
          end();
        },
      }),
    });
    const t = topology('two', (b) => {
      const x = b.spout('x', how === 'a queue that has ended' ? queue : ends.spout);
      b.bolt('out', { x: x.global(), y: b.spout('y', stays.spout).global() }, hears(heard));
      const keeps = manualBolt({ prepare: () => ({ execute: (_: Tuple<number>) => {}, flush() {} }) });
      b.bolt('keeps', x.shuffle(), keeps);
    });
    const { runtime } = await startVirtual(t);
    ends.give('a', 100);
    await runtime.settle();
    if (how === 'a log that has ended') for (const task of ends.opened) task.end();
    else ends.end('a');
    stays.give('b', 500);
    await runtime.settle();
    assert.deepEqual(
      heard.filter((line) => line !== 'to 99'),
      ['100@100', '500@500', 'to 499'],
    );
  });
}

test('a source that has ended does not take time to its end while another is only idle', async () => {
  const [ends, stays] = [new Tap('a'), new Tap('b')];
  const heard: string[] = [];
  const t = topology('two', (b) => {
    const inputs = { x: b.spout('x', ends.spout).global(), y: b.spout('y', stays.spout).global() };
    b.bolt('out', inputs, hears(heard));
  });
  const { runtime } = await startVirtual(t);
  stays.give('b', 500);
  await runtime.advance('10s');
  ends.give('a', 100);
  await runtime.advance('25s');
  assert.deepEqual(heard.splice(0), ['500@500', '100@100', 'to 99']);
  ends.end('a');
  await runtime.settle();
  assert.deepEqual(heard, []);
  stays.give('b', 600);
  await runtime.settle();
  assert.deepEqual(heard, ['to 499', '600@600', 'to 599']);
});

test('a stop does not advance time', async () => {
  const tap = new Tap('a');
  const { runtime, running, settled } = await tapped(tap, {});
  assert.deepEqual(await settled(() => tap.give('a', 100)), ['100@100', 'to 99']);
  await runtime.until(runtime.within(() => running.stop()));
  assert.deepEqual(await settled(), []);
});

test('a record without a time goes to the ledger; the flow goes on, and event time does not hear of it', async () => {
  const tap = new Tap('a');
  const from = (n: number) => {
    if (n === 13) throw new Error('unlucky');
    return n === 14 ? Number.NaN : n * 10;
  };
  const { ledger, running, settled } = await tapped(tap, { time: { from } });
  const year = 365 * 86_400_000;
  assert.deepEqual(await settled(() => tap.give('a', 1, 13, 14, year, 2)), ['1@10', '2@20', 'to 19']);
  const entries = ledger.list().map(({ cause, detail, component, origin, encoding, payload, time }) => {
    return { cause, detail, component, at: origin?.position, value: structured.decode(payload!), encoding, time };
  });
  const entry = { cause: 'time', component: 's', encoding: 'value' } as const;
  assert.deepEqual(
    entries.sort((x, y) => x.at! - y.at!).map(({ detail, ...rest }) => rest),
    [
      { ...entry, at: 1, value: 13, time: 13 },
      { ...entry, at: 2, value: 14, time: 14 },
      { ...entry, at: 3, value: year, time: year },
    ],
  );
  assert.equal(entries[0]!.detail, "'s': the function for its time threw: unlucky");
  assert.match(entries[2]!.detail, /ahead of the clock; allowed is 1d/);
  const { components } = running.metrics();
  assert.deepEqual([components[0]!.acked, components[0]!.ledgered, components[0]!.pending], [5, 3, 0]);
});

test('the tree of a record without a time is held until its entry is safe', async () => {
  const tap = new Tap('a');
  const ledger = memoryLedger();
  const safe = Promise.withResolvers<void>();
  const record = ledger.record.bind(ledger);
  ledger.record = (entry) => safe.promise.then(() => record(entry));
  const t = topology('t', (b) => {
    b.bolt('out', b.spout('s', tap.spout).global(), hears([]));
  });
  const { runtime, running } = await startVirtual(t, { ledger });
  tap.give('a', Number.NaN);
  await runtime.settle();
  assert.equal(running.metrics().components[0]!.pending, 1);
  safe.resolve();
  await runtime.settle();
  assert.equal(running.metrics().components[0]!.pending, 0);
});

test('time in which the topology was inactive does not make a split idle', async () => {
  const tap = new Tap('a', 'b');
  const { runtime, running, settled } = await tapped(tap, { time: { idle: '10s' } });
  await settled(() => tap.give('a', 100));
  await runtime.advance('9s');
  running.deactivate();
  await runtime.advance('1h');
  running.activate();
  await runtime.advance(999);
  assert.deepEqual(await settled(), []);
  await settled(() => tap.give('a', 200));
  await runtime.advance(1);
  assert.deepEqual(await settled(), ['to 199']);
});

test('time in which a source that failed is not asked does not make a split idle', async () => {
  const tap = new Tap('a', 'b');
  const options = { time: { idle: '10s' }, onError: { backoff: '15s' }, parallelism: 2 } as const;
  const { runtime, settled } = await tapped(tap, options);
  tap.broken = 'b';
  tap.give('b', 50);
  await runtime.advance('9s');
  await settled(() => tap.give('a', 100));
  tap.broken = undefined;
  await runtime.advance('6s');
  assert.deepEqual(await settled(), ['50@50', 'to 49']);
});

test('a split that waits for a slower one is not idle', async () => {
  const tap = new Tap('a', 'b');
  const { runtime, settled } = await tapped(tap, { time: { align: 100, idle: '10s' } });
  await settled(() => tap.give('b', 50));
  await settled(() => tap.give('a', 1000));
  tap.give('a', 2000);
  for (const time of [51, 52, 53]) {
    await runtime.advance('8s');
    assert.deepEqual(await settled(() => tap.give('b', time)), [`${time}@${time}`, `to ${time - 1}`]);
  }
});

for (const [what, queue, maxPending] of [
  ['downstream was full', 1, 10_000],
  ['too much was pending', 1000, 3],
] as const) {
  test(`time in which ${what} does not make a split idle`, async () => {
    const tap = new Tap('a', 'b');
    const heard: string[] = [];
    let release = () => {};
    const stuck = asyncBolt({ concurrency: 1, execute: () => new Promise<void>((resolve) => (release = resolve)) });
    const t = topology('t', (b) => {
      const s = b.spout('s', tap.spout, { time: { idle: '10s' }, maxPending });
      b.bolt('out', s.global(), hears(heard));
      b.bolt('stuck', s.shuffle(), stuck, { queue });
    });
    const { runtime } = await startVirtual(t);
    tap.give('a', 100, 101, 102);
    await runtime.advance('1h');
    tap.give('b', 5);
    for (let i = 0; i < 10; i++) {
      release();
      await runtime.advance(100);
    }
    assert.deepEqual(heard, ['100@100', '101@101', '102@102', '5@5', 'to 4']);
  });
}

test('at most once, time in which positions are noted does not make a split idle', async () => {
  for (const time of [100, Number.NaN]) {
    const tap = new Tap('a', 'b');
    const { runtime, settled } = await tapped(tap, { time: { idle: '10s' } }, 'at-most-once');
    tap.commitTakes = 3_600_000;
    tap.give('a', time);
    await runtime.advance('1h');
    tap.commitTakes = 0;
    await runtime.advance('9s');
    await settled(() => tap.give('a', 200));
    await runtime.advance(999);
    assert.deepEqual(await settled(), []);
    await runtime.advance(1);
    assert.deepEqual(await settled(), ['to 199']);
  }
});

test('a split that is paused for two reasons goes on when neither holds', async () => {
  for (const first of ['long', 'far ahead'] as const) {
    const tap = new Tap('a', 'b');
    const calls = new Map<number, () => void>();
    const slow = asyncBolt({
      concurrency: 100,
      order: 'unordered',
      execute: (n: number) => (n === 1 ? new Promise<void>((resolve) => calls.set(n, resolve)) : Promise.resolve()),
    });
    const t = topology('t', (b) => {
      const s = b.spout('s', tap.spout, { time: { align: 10 }, maxPending: 4 });
      b.bolt('out', s.global(), hears([]));
      b.bolt('slow', s.shuffle(), slow);
    });
    const { runtime } = await startVirtual(t);
    tap.give('a', 1, 20, 21, 22);
    await runtime.settle();
    assert.deepEqual(tap.asked, ['pause a']);
    const ends = { long: () => calls.get(1)!(), 'far ahead': () => tap.give('b', 20) };
    ends[first]();
    await runtime.settle();
    assert.deepEqual(tap.asked, ['pause a'], `${first} ended first`);
    ends[first === 'long' ? 'far ahead' : 'long']();
    await runtime.settle();
    assert.deepEqual(tap.asked, ['pause a', 'resume a'], `${first} ended first`);
  }
});

test('a split that runs ahead waits for the slowest of another task, and goes on when that is idle', async () => {
  const tap = new Tap('a', 'b');
  const { runtime, settled } = await tapped(tap, { time: { align: 100, idle: '10s' }, parallelism: 2 });
  await settled(() => tap.give('b', 50));
  await settled(() => tap.give('a', 40));
  await settled(() => tap.give('a', 1000));
  assert.deepEqual(await settled(() => tap.give('a', 2000)), []);
  await runtime.advance('10s');
  assert.deepEqual(await settled(), ['to 999', '2000@2000', 'to 1999']);
});

test('by ingestion a record has the time of the clock, and time goes on without records', async () => {
  const tap = new Tap('a');
  const { runtime, settled } = await tapped(tap, { time: 'ingestion' });
  await runtime.advance(150);
  assert.deepEqual(await settled(() => tap.give('a', 7, 8)), ['7@150', '8@150', 'to 149']);
  await runtime.advance(500);
  assert.deepEqual(await settled(), ['to 349', 'to 549']);
});

test("the user's own rule is followed, and hears of a record once, however often it is replayed", async () => {
  const tap = new Tap('a');
  const seen: number[] = [];
  const heard: string[] = [];
  const watermark = () => ({
    record: (n: number, time: number) => {
      seen.push(n);
      return time - 100;
    },
  });
  let failures = 0;
  const failing = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      if (n === 500 && failures++ === 0) throw new Error('once');
    },
  });
  const t = topology('t', (b) => {
    const s = b.spout('s', tap.spout, { time: { watermark } });
    b.bolt('out', s.global(), hears(heard));
    b.bolt('fails', s.shuffle(), failing, { onError: { retries: 0, exhausted: 'ledger' } });
    b.sink('last', s.shuffle(), sink<number>({ mode: 'append', batch: { size: 1, every: 0 }, write() {} }));
  });
  const { runtime } = await startVirtual(t);
  tap.give('a', 500);
  await runtime.settle();
  tap.give('a', 600);
  await runtime.advance('1m');
  assert.deepEqual(heard, ['500@500', 'to 400', '600@600', 'to 500']);
  assert.deepEqual(seen, [500, 600]);
});

test("a user's rule that throws stops the topology and says where", async () => {
  const tap = new Tap('a');
  const watermark = () => ({
    record(): number {
      throw new Error('no idea');
    },
  });
  const { runtime, running } = await tapped(tap, { time: { watermark } });
  tap.give('a', 1);
  await assert.rejects(runtime.until(running.done), {
    code: 'MR_SOURCE',
    message: "spout 's' cannot go on: time.watermark threw: no idea",
  });
});

test('where nobody asks for event time no rule is made, and no time is looked at', async () => {
  const tap = new Tap('a');
  const got: number[] = [];
  const t = topology('untimed', (b) => {
    const watermark = () => assert.fail('made');
    b.bolt('out', b.spout('s', tap.spout, { time: { watermark } }).shuffle(), (_, time) => void got.push(time));
  });
  const { runtime, ledger } = await startVirtual(t);
  tap.give('a', Number.NaN, 1);
  await runtime.settle();
  assert.deepEqual(got, [Number.NaN, 1]);
  assert.deepEqual(ledger.list(), []);
});
