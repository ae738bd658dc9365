import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Entry, PendingTimer } from './entry.ts';
import { TimerQueue } from './timer-queue.ts';

test('its size and its first timer are right whatever was added, removed and taken', () => {
  const entry = new Entry('k', 'k', []);
  const move = fc.oneof(
    fc.record({ kind: fc.constant('add'), time: fc.nat(4) }),
    fc.record({ kind: fc.constant('remove'), at: fc.nat() }),
    fc.record({ kind: fc.constant('take') }),
  );
  const check = (moves: readonly { readonly kind: string; readonly time?: number; readonly at?: number }[]) => {
    const queue = new TimerQueue();
    let model: PendingTimer[] = [];
    for (const [order, { kind, time = 0, at = 0 }] of moves.entries()) {
      if (kind === 'add') {
        const timer = new PendingTimer(entry, 't', time, order);
        queue.add(timer);
        model.push(timer);
        model.sort((a, b) => a.time - b.time || a.order - b.order);
      } else if (model.length > 0) {
        const gone = kind === 'take' ? model[0]! : model[at % model.length]!;
        if (kind === 'take') assert.equal(queue.take(), gone);
        else queue.remove(gone);
        model = model.filter((timer) => timer !== gone);
      }
      assert.equal(queue.first, model[0]);
      assert.equal(queue.size, model.length);
      assert.equal(queue.next, model[0]?.time ?? Number.POSITIVE_INFINITY);
    }
  };
  fc.assert(fc.property(fc.array(move, { maxLength: 60 }), check), { numRuns: 500 });
});
