import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Entry, PendingTimer } from './entry.ts';
import { TimerQueue } from './timer-queue.ts';

test('whatever is added, removed, taken and put back, the next one is the earliest, and of those the first', () => {
  const op = fc.record({
    op: fc.constantFrom('add', 'add', 'remove', 'take', 'put back'),
    time: fc.nat(3),
    count: fc.constantFrom(1, 2, 100, 300),
    at: fc.nat(1_000),
  });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const queue = new TimerQueue();
      const entry = new Entry('k', 'k', undefined);
      let live: PendingTimer[] = [];
      let gone: PendingTimer[] = [];
      let order = 0;
      const sort = () => live.sort((a, b) => a.time - b.time || a.order - b.order);
      for (const { op, time, count, at } of ops) {
        for (let i = 0; i < count; i++) {
          if (op === 'add') {
            const timer = new PendingTimer(entry, 't', time, order++);
            queue.add(timer);
            live.push(timer);
          } else if (op === 'remove' && live.length > 0) {
            const [timer] = live.splice((at + 7 * i) % live.length, 1);
            queue.remove(timer!);
            gone.push(timer!);
          } else if (op === 'take') {
            const timer = queue.take();
            assert.equal(timer, sort().shift());
            if (timer) gone.push(timer);
          } else if (op === 'put back' && gone.length > 0) {
            const timer = gone.pop()!;
            queue.add(timer);
            live.push(timer);
          }
        }
        assert.equal(queue.size, live.length);
        assert.equal(queue.first, sort()[0]);
        assert.equal(queue.next, live[0]?.time ?? Number.POSITIVE_INFINITY);
      }
      for (const timer of live) assert.equal(queue.take(), timer);
      assert.equal(queue.take(), undefined);
      live = gone = [];
    }),
    { numRuns: 100 },
  );
});
