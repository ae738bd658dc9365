/** Test support: what every `KeyedStore` must do. A store gives a way to open a fresh one, and no test of its own for any of this. */
import { describe, test } from 'node:test';
import { cellsSuite } from './cells.ts';
import { laterSuite } from './later.ts';
import { lifetimesSuite } from './lifetimes.ts';
import { likeTheModel } from './like-the-model.ts';
import type { Freeze, OpenStore } from './opened.ts';
import { snapshotsSuite } from './snapshots.ts';
import { takeoversSuite } from './takeovers.ts';
import { timersSuite } from './timers.ts';

export function keyedStateSuite(name: string, open: OpenStore, deepFreeze: Freeze): void {
  describe(`keyed state ${name}`, () => {
    cellsSuite(open, deepFreeze);
    timersSuite(open);
    lifetimesSuite(open);
    snapshotsSuite(open, deepFreeze);
    takeoversSuite(open);
    laterSuite(open);
    test('any steps, failures, timers, passing time, snapshots and restarts leave what the naive model has', () => {
      likeTheModel(open, [(value) => value, deepFreeze], 150);
    });
  });
}
