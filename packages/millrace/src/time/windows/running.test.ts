import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Aggregate } from '../aggregates/aggregate.ts';
import { collect } from '../aggregates/collect.ts';
import { distinct } from '../aggregates/distinct.ts';
import { Columns } from './columns.ts';
import type { Pane } from './panes.ts';
import { Running, RunningByKey } from './running.ts';

/** Text that is put together: it shows what is in, and in which order. */
function text(merged: () => void): Aggregate<string, string> {
  return {
    name: 'text',
    take: (value) => value,
    create: () => '',
    add: (all: string, value: string) => all + value,
    merge(older: string, newer: string) {
      merged();
      return older + newer;
    },
    result: (all: string) => all,
    pure: true,
    running: undefined,
  };
}

const pane = (start: number, columns: Columns<string>): Pane => {
  const accumulators = columns.create();
  columns.take(String.fromCharCode(97 + (start % 26)), start);
  columns.put(accumulators, columns.stage(accumulators));
  return { start, accumulators };
};

test('a window that slides over panes holds those that lie in it, in their order', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), { maxLength: 40 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { minLength: 1 }), steps, (starts, moves) => {
      const columns = new Columns({
        text: text(() => {}),
        all: collect((s: string) => s),
        kinds: distinct((s: string) => s),
      });
      const panes = starts.sort((a, b) => a - b).map((start) => pane(start, columns));
      const running = new Running(columns);
      let from = 0;
      let to = 0;
      for (const [start, end] of moves) {
        from += start;
        to = Math.max(from + 1, to + end);
        const inside = panes.filter((one) => one.start >= from && one.start < to);
        if (inside.length === 0) continue;
        const naive = inside.map(({ accumulators }) => accumulators[0]).join('');
        const result = { text: '', all: [] as string[], kinds: 0 };
        columns.results(result, running.over(panes, from, to), { start: from, end: to });
        assert.deepEqual(result, { text: naive, all: [...naive], kinds: new Set(naive).size });
      }
    }),
  );
});

test('a window costs three merges and a half, however many panes it has', () => {
  for (const size of [10, 100, 3600]) {
    let merges = 0;
    const columns = new Columns({ text: text(() => void merges++) });
    const panes: Pane[] = [];
    const running = new Running(columns);
    const windows = 3 * size;
    for (let end = 1; end <= windows; end++) {
      panes.push({ start: end - 1, accumulators: [''] });
      running.over(panes, end - size, end);
    }
    assert.ok(merges <= 3.5 * windows, `${merges} merges for ${windows} windows of ${size} panes`);
  }
});

test('what a merge that threw left behind is not used again', () => {
  let isBroken = false;
  const columns = new Columns({
    text: text(() => {
      if (isBroken) throw new Error('no');
    }),
  });
  const panes = Array.from({ length: 20 }, (_, start) => pane(start, columns));
  const byKey = new RunningByKey<object>(columns);
  const kept = {};
  assert.equal(byKey.over(kept, panes, 0, 10)[0], 'abcdefghij');
  isBroken = true;
  assert.throws(() => byKey.over(kept, panes, 5, 15));
  isBroken = false;
  assert.equal(byKey.over(kept, panes, 5, 15)[0], 'fghijklmno');
});

test('a pane that changed is seen once the running aggregate is forgotten', () => {
  const columns = new Columns({ text: text(() => {}) });
  const panes = Array.from({ length: 20 }, (_, start) => pane(start, columns));
  const byKey = new RunningByKey<object>(columns);
  const kept = {};
  byKey.over(kept, panes, 0, 10);
  panes[8]!.accumulators[0] = 'I';
  byKey.forget(kept);
  assert.equal(byKey.over(kept, panes, 1, 11)[0], 'bcdefghIjk');
});
