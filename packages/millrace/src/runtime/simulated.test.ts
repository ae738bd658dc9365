import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type SimulatedRuntime, simulatedRuntime } from './simulated.ts';

/** Timers, promises, immediate callbacks, files, sockets and chance, mixed: what happened, line by line. */
async function eventful(runtime: SimulatedRuntime): Promise<readonly string[]> {
  const lines: string[] = [];
  const note = (what: string) => lines.push(`${Date.now()} ${performance.now()} ${what}`);
  runtime.within(() => {
    runtime.files.watch('log', () => note('log changed'));
    for (const name of ['a', 'b', 'c']) {
      void (async () => {
        const file = await runtime.files.open('log', 'append');
        for (let i = 0; i < 5; i++) {
          await pause(Math.random() * 100);
          note(`${name}${i} ${Math.random().toFixed(6)} ${runtime.random().toFixed(6)}`);
          await file.append(Uint8Array.of(i));
          await new Promise((resolve) => setImmediate(resolve));
          note(`${name}${i} after`);
        }
      })();
    }
    void (async () => {
      const listener = await runtime.sockets.listen({ host: 'h', port: 0 }, (connection) => {
        connection.onData((bytes) => note(`got ${bytes}`));
      });
      const connection = await runtime.sockets.connect(listener.address);
      setInterval(() => connection.write(Uint8Array.of(Math.floor(Math.random() * 256))), 30);
    })();
  });
  await runtime.advance(400);
  return lines;
}

test('the same seed gives the same run, another seed another', async () => {
  const [first, second, other] = await Promise.all(
    [1, 1, 2].map((seed) => eventful(simulatedRuntime({ seed, start: 5000 }))),
  );
  assert.ok(first!.length > 50);
  assert.deepEqual(second, first);
  assert.notDeepEqual(other, first);
});

test('timers fire by time, then by age, each at its own time', async () => {
  const { timers, clock, advance } = simulatedRuntime({ seed: 1, start: 100 });
  const fired: string[] = [];
  for (const [name, ms] of [
    ['c', 30],
    ['a', 10],
    ['d', 30],
    ['b', 20],
    ['late', 31],
  ] as const)
    timers.after(ms, () => fired.push(`${name}@${clock.now()}/${clock.monotonic()}`));
  await advance('30ms');
  assert.deepEqual(fired, ['a@110/10', 'b@120/20', 'c@130/30', 'd@130/30']);
  assert.equal(clock.now(), 130);
  await advance(1);
  assert.equal(fired.at(-1), 'late@131/31');
});

test('timers of one time fire in the order in which they were set, between others', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  const fired: string[] = [];
  for (let n = 0; n < 60; n++) timers.after(n % 3, () => fired.push(`${n % 3}:${Math.floor(n / 3)}`));
  await advance(2);
  assert.deepEqual(
    fired,
    Array.from({ length: 60 }, (_, n) => `${Math.floor(n / 20)}:${n % 20}`),
  );
});

test('a cancelled timer does not fire, however many there are', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  const fired: number[] = [];
  const cancels = Array.from({ length: 5000 }, (_, n) =>
    timers.after((n * 7919) % 5000, () => fired.push((n * 7919) % 5000)),
  );
  for (const [n, cancel] of cancels.entries()) if (n % 10) cancel();
  for (const cancel of cancels.slice(0, 11)) cancel();
  await advance(5000);
  cancels[20]!();
  assert.equal(fired.length, 498);
  assert.deepEqual(
    fired,
    fired.toSorted((a, b) => a - b),
  );
});

test('promises go on between two callbacks, however long their chains', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  const order: string[] = [];
  const chain = async (name: string) => {
    for (let i = 0; i < 1000; i++) await undefined;
    process.nextTick(() => order.push(`${name} tick`));
    for (let i = 0; i < 1000; i++) await undefined;
    order.push(`${name} done`);
  };
  timers.after(5, () => void chain('first'));
  timers.after(5, () => order.push('second'));
  timers.soon(() => void chain('soon'));
  timers.soon(() => order.push('next'));
  await advance(5);
  assert.deepEqual(order, ['soon done', 'soon tick', 'next', 'first done', 'first tick', 'second']);
});

test('timers that a timer sets fire in the same advance, at their own time', async () => {
  const { timers, clock, advance } = simulatedRuntime({ seed: 1 });
  const at: number[] = [];
  const tick = () => {
    at.push(clock.now());
    timers.after(10, tick);
  };
  timers.after(10, tick);
  await advance(35);
  assert.deepEqual(at, [10, 20, 30]);
});

test('callbacks that ask for soon again hold up neither timers nor each other', async () => {
  const { timers, settle } = simulatedRuntime({ seed: 1 });
  let left = 10;
  const order: string[] = [];
  const busy = () => {
    order.push('busy');
    if (--left > 0) timers.soon(busy);
  };
  timers.soon(busy);
  const impatient = () => {
    order.push('timer');
    if (left > 0) timers.after(0, impatient);
  };
  timers.after(0, impatient);
  await settle();
  assert.deepEqual(order.slice(0, 4), ['busy', 'timer', 'busy', 'timer']);
  assert.equal(order.filter((who) => who === 'busy').length, 10);
});

test('a program that never comes to rest is stopped, with the time at which it turns', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  const again = () => timers.soon(again);
  timers.after(7, again);
  await assert.rejects(advance(10), { code: 'MR_STUCK', message: /at virtual time 7 ms: .* again and again/ });
});

test('what a callback throws is what advance rejects with, and the rest stays to be done', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  let ran = false;
  timers.after(1, () => {
    throw new RangeError('boom');
  });
  timers.after(1, () => {
    ran = true;
  });
  await assert.rejects(advance(1), RangeError);
  assert.equal(ran, false);
  await advance(0);
  assert.equal(ran, true);
});

test('an advance inside another is refused', async () => {
  const { timers, advance } = simulatedRuntime({ seed: 1 });
  timers.after(1, () => void advance(1).catch((error: Error) => assert.match(error.message, /await it first/)));
  const first = advance(5);
  await assert.rejects(advance(1), { code: 'MR_STUCK' });
  await first;
});

test('a promise is waited for in virtual time, and a hopeless one is given up', async () => {
  const { timers, clock, until } = simulatedRuntime({ seed: 1 });
  assert.equal(await until(new Promise((resolve) => timers.after(500_000, () => resolve('done')))), 'done');
  assert.equal(clock.now(), 500_000);
  await assert.rejects(until(Promise.reject(new RangeError('boom'))), RangeError);
  const never = new Promise(() => {});
  await assert.rejects(until(never), { code: 'MR_STUCK', message: /nothing is left to do/ });
  const forever = () => void timers.after(1000, forever);
  forever();
  await assert.rejects(until(never, '10s'), { code: 'MR_STUCK', message: /not settled after 10000 ms/ });
  assert.equal(clock.now(), 510_000);
});

test('within virtual time the globals answer from the clock and the seed', async () => {
  const runtime = simulatedRuntime({ seed: 7, start: 1000 });
  const twin = simulatedRuntime({ seed: 7 });
  class Moment extends Date {}
  await runtime.advance(234.5);
  runtime.within(() => {
    assert.equal(Date.now(), 1234);
    assert.equal(new Date().toISOString(), '1970-01-01T00:00:01.234Z');
    assert.equal(new Date(5).getTime(), 5);
    assert.equal(new Moment().getTime(), 1234);
    assert.ok(new Moment() instanceof Moment && new Moment() instanceof Date);
    assert.equal(Date(), new Date(1234).toString());
    assert.equal(new Date().constructor, Date);
    assert.equal(performance.now(), 234.5);
    assert.equal(Math.random(), twin.random());
  });
  assert.ok(Date.now() > 1e12 && new Date().getFullYear() > 2000);
  assert.notEqual(performance.now(), 234.5);
  assert.notEqual(Math.random(), twin.random());
});

test('two worlds and the real one run beside each other', async () => {
  const [a, b] = [simulatedRuntime({ seed: 1, start: 10 }), simulatedRuntime({ seed: 1, start: 20 })];
  const seen: number[] = [];
  const loop = async () => {
    for (let i = 0; i < 3; i++) {
      await pause(100);
      seen.push(Date.now());
    }
  };
  const loops = [a.within(loop), b.within(loop)];
  await Promise.all([a.advance('1s'), b.advance('1s'), new Promise((resolve) => setTimeout(resolve, 1))]);
  await Promise.all(loops);
  assert.deepEqual(
    seen.toSorted((x, y) => x - y),
    [110, 120, 210, 220, 310, 320],
  );
  assert.ok(Date.now() > 1e12);
});

test('Node timers of user code live in virtual time', async () => {
  const { within, advance } = simulatedRuntime({ seed: 1 });
  const fired: string[] = [];
  const note = (what: string) => fired.push(`${what}@${Date.now()}`);
  await within(async () => {
    setTimeout(note, 10, 'timeout');
    setTimeout(note, 0, 'none');
    setImmediate(note, 'immediate');
    clearTimeout(setTimeout(note, 1, 'cleared'));
    clearImmediate(setImmediate(note, 'cleared'));
    const every = setInterval(() => {
      note('interval');
      if (Date.now() >= 30) clearInterval(every);
    }, 15);
    setTimeout(note, 18, 'refreshed').refresh();
    void promisify(setTimeout)(16).then(() => note('promised'));
    const abort = new AbortController();
    void pause(50, undefined, { signal: abort.signal }).catch((error: Error) => note(error.name));
    setTimeout(() => abort.abort(), 25);
  });
  await advance(100);
  assert.deepEqual(fired, [
    'immediate@0',
    'none@1',
    'timeout@10',
    'interval@15',
    'promised@16',
    'refreshed@18',
    'AbortError@25',
    'interval@30',
  ]);
});

test('chance is spread evenly, and close seeds have nothing in common', () => {
  const counts = new Array<number>(16).fill(0);
  const { random } = simulatedRuntime({ seed: 3 });
  for (let i = 0; i < 16_000; i++) counts[Math.floor(random() * 16)]!++;
  assert.ok(
    counts.every((count) => count > 850 && count < 1150),
    counts.join(),
  );
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => simulatedRuntime({ seed }).random()));
  assert.equal(firsts.size, 1000);
  const average = [...firsts].reduce((sum, first) => sum + first, 0) / 1000;
  assert.ok(average > 0.45 && average < 0.55, String(average));
});

test('the numbers of a seed never change', () => {
  const { random } = simulatedRuntime({ seed: 42 });
  assert.deepEqual([random(), random(), random()], [0.30015187915786234, 0.016294008842773877, 0.39745798779888375]);
});
