import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { realRuntime } from './real.ts';
import { simulatedRuntime } from './simulated.ts';

const { clock, timers } = realRuntime();

test('a timer never fires early, and not at all once it is cancelled', async () => {
  const cancel = timers.after(1, () => assert.fail('fired after it was cancelled'));
  cancel();
  const waits = Array.from({ length: 50 }, (_, n) => n / 7);
  const early = await Promise.all(
    waits.map((ms) => {
      const start = clock.monotonic();
      return new Promise<number>((resolve) => timers.after(ms, () => resolve(ms - (clock.monotonic() - start))));
    }),
  );
  assert.deepEqual(
    early.filter((by) => by > 0),
    [],
  );
});

test('a wait longer than Node can count does not fire at once', async (t) => {
  process.once('warning', assert.fail);
  t.after(() => process.off('warning', assert.fail));
  t.after(timers.after(2 ** 40, () => assert.fail('fired at once')));
  await new Promise<void>((resolve) => timers.after(5, resolve));
});

test('a waiting timer keeps the process alive, a cancelled one does not', async () => {
  const script = `
    import { realRuntime } from ${JSON.stringify(new URL('./real.ts', import.meta.url).href)};
    const { timers } = realRuntime();
    timers.after(3_600_000, () => {})();
    timers.after(20, () => console.log('fired'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  assert.equal(stdout, 'fired\n');
});

test('soon runs after what the event loop has at hand', async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    timers.soon(() => {
      order.push('soon');
      resolve();
    });
    process.nextTick(() => order.push('tick'));
    queueMicrotask(() => order.push('microtask'));
  });
  assert.deepEqual(order.toSorted(), ['microtask', 'soon', 'tick']);
  assert.equal(order.at(-1), 'soon');
});

test('the real runtime stays real while a simulation runs', async () => {
  const simulated = simulatedRuntime({ seed: 1 });
  await simulated.within(async () => {
    assert.ok(Date.now() === 0 && clock.now() > 1e12);
    await new Promise<void>((resolve) => timers.after(1, resolve));
  });
});
