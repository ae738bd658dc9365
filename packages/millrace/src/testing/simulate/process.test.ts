import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { Process } from './process.ts';
import { processStorage } from './process-storage.ts';

function world(onStep: (process: Process) => void = () => {}) {
  const time = new VirtualTime(0);
  const { clock, timers } = time;
  const refuse = (what: string): never => {
    throw new Error(what);
  };
  const process = new Process({ name: 'one', clock, timers, random: () => 0, onStep, refuse });
  return { time, process };
}

test('what is dead does nothing any more: its timers do not fire, its promises do not settle', async () => {
  const { time, process } = world();
  const did: string[] = [];
  process.enter(() => {
    setTimeout(() => did.push('a timer of Node'), 10);
    process.timers.after(10, () => did.push('a timer'));
    void process
      .answer(new Promise((resolve) => time.timers.after(10, () => resolve(1))))
      .then(() => did.push('an answer'));
    process.timers.after(5, () => did.push('before'));
  });
  time.timers.after(7, () => process.kill());
  await time.advance(100);
  assert.deepEqual(did, ['before']);
  assert.throws(() => process.step(), /one is dead/);
});

test('what is paused goes on where it was, in order, once it wakes up', async () => {
  const { time, process } = world();
  const did: string[] = [];
  const note = (what: string) => void did.push(`${what} at ${time.clock.monotonic()}`);
  process.timers.after(10, () => note('first'));
  process.timers.after(20, () => note('second'));
  const cancel = process.timers.after(15, () => note('cancelled while it was held back'));
  process.timers.after(50, () => note('third'));
  await time.advance(5);
  process.pause();
  await time.advance(25);
  cancel();
  process.resume();
  await time.advance(100);
  assert.deepEqual(did, ['first at 30', 'second at 30', 'third at 50']);
});

test('it can be killed at any write, and what it throws then is heard by nobody', async () => {
  for (const last of [1, 2, 3, 4]) {
    let steps = 0;
    const { time, process } = world((one) => {
      if (++steps > last) one.kill();
    });
    const disk = new FaultyStorage();
    const storage = processStorage(process, disk.shared());
    process.enter(() => {
      const file = storage.open('/file', true);
      file.write(Uint8Array.of(1), 0);
      file.write(Uint8Array.of(2), 1);
    });
    await time.advance(1);
    const written = last === 1 ? undefined : disk.bytesOf('/file').length;
    assert.equal(written, [undefined, 0, 1, 2][last - 1]);
    assert.equal(process.state, last === 4 ? 'alive' : 'dead');
  }
});

test('what it locked is free when it is dead', () => {
  const { process } = world();
  const disk = new FaultyStorage();
  disk.makeDirectory('/log');
  processStorage(process, disk.shared()).lock('/log');
  const other = world().process;
  assert.throws(() => processStorage(other, disk.shared()).lock('/log'), /in use/);
  process.kill();
  processStorage(other, disk.shared()).lock('/log');
});

test('what it asked of the disk before it died is done or not, as the disk likes', async () => {
  const { time, process } = world();
  const disk = new FaultyStorage();
  const own = disk.shared();
  own.syncTakes = () => new Promise((resolve) => void time.timers.after(10, resolve));
  const storage = processStorage(process, own);
  let synced = false;
  process.enter(() => {
    const file = storage.open('/file', true);
    file.write(Uint8Array.of(7), 0);
    void storage
      .syncDirectory('/')
      .then(() => file.sync())
      .then(() => (synced = true));
  });
  await time.advance(25);
  process.kill();
  await time.advance(100);
  assert.equal(synced, false);
  // Its sync was under way, and came to its end.
  assert.deepEqual([...disk.afterPowerCut(() => 0.99).bytesOf('/file')], [7]);
});
