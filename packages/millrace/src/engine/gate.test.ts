import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedRuntime } from '../runtime/simulated.ts';
import { Fifo } from './fifo.ts';
import { Gate, Room } from './gate.ts';

function upstreamOf(bound: number) {
  const runtime = simulatedRuntime({ seed: 1 });
  const [gate, downstream] = [new Gate(runtime.timers), new Gate(runtime.timers)];
  downstream.addUpstream(gate);
  return { runtime, gate, room: new Room(downstream, bound) };
}

test('who waits for a gate is called from outside of the step that opens it (law 2)', async () => {
  const { runtime, gate, room } = upstreamOf(1);
  const called: string[] = [];
  room.take();
  gate.whenOpen(() => called.push('waiting'));
  room.give();
  called.push('end of the step');
  await runtime.settle();
  assert.deepEqual(called, ['end of the step', 'waiting']);
});

test('those who came first are first, also when the gate closes before their turn has come', async () => {
  const { runtime, gate, room } = upstreamOf(1);
  const called: string[] = [];
  /** Fills the queue each time it is called, as a generator does. */
  const filling = (name: string) => () => {
    called.push(name);
    room.take();
    gate.whenOpen(filling(name));
  };
  room.take();
  for (const name of ['a', 'b', 'c']) gate.whenOpen(filling(name));
  for (let i = 0; i < 5; i++) {
    room.give();
    await runtime.settle();
  }
  assert.deepEqual(called, ['a', 'b', 'c', 'a', 'b']);
});

test('a gate is open when no queue downstream is full, however often each fills', () => {
  const { gate, room } = upstreamOf(2);
  for (let i = 0; i < 4; i++) room.take();
  assert.equal(gate.closed, true);
  for (let i = 0; i < 2; i++) room.give();
  assert.equal(gate.closed, true, 'at its bound it is full');
  room.give();
  assert.equal(gate.closed, false);
  room.give();
  assert.deepEqual([gate.closed, room.used], [false, 0]);
});

test('a fifo gives back what it got, in order, whatever is taken in between', () => {
  const fifo = new Fifo<number>();
  const taken: (number | undefined)[] = [];
  for (let i = 0; i < 5000; i++) {
    fifo.push(i);
    if (i % 3 > 0) taken.push(fifo.shift());
  }
  assert.equal(fifo.length, 5000 - taken.length);
  assert.equal(fifo.first, taken.length);
  while (fifo.length > 0) taken.push(fifo.shift());
  assert.deepEqual(
    taken,
    Array.from({ length: 5000 }, (_, i) => i),
  );
  assert.equal(fifo.shift(), undefined);
});
