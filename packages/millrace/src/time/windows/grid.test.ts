import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Grid } from './grid.ts';

const drawn = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), fc.integer({ min: -100, max: 100 }))
  .map(([a, b, offset]) => ({ size: Math.max(a, b), slide: Math.min(a, b), offset }));

/** All windows that hold `at`: from their definition alone. */
function windowsOf(at: number, size: number, slide: number, offset: number): number[] {
  const starts: number[] = [];
  for (let start = at - size + 1; start <= at; start++) if ((start - offset) % slide === 0) starts.push(start);
  return starts;
}

test('first and last windows are those of the definition, also before 1970 and with any offset', () => {
  fc.assert(
    fc.property(drawn, fc.integer({ min: -500, max: 500 }), ({ size, slide, offset }, at) => {
      const grid = new Grid(size, slide, offset);
      const starts = windowsOf(at, size, slide, offset);
      assert.equal(grid.lastStart(at), starts.at(-1));
      assert.equal(grid.firstEnd(at), starts[0]! + size);
      assert.equal(grid.lastEnd(at), starts.at(-1)! + size);
      assert.equal(grid.lastEndUpTo(grid.firstEnd(at)), grid.firstEnd(at));
      assert.equal(grid.lastEndUpTo(grid.firstEnd(at) - 1), grid.firstEnd(at) - slide);
    }),
  );
});

test('a pane is in the same windows as all of its times, and a slide has two panes at most', () => {
  fc.assert(
    fc.property(drawn, fc.integer({ min: -500, max: 500 }), ({ size, slide, offset }, from) => {
      const grid = new Grid(size, slide, offset);
      const panes = new Set<number>();
      for (let at = from; at < from + slide; at++) {
        const pane = grid.pane(at);
        assert.ok(pane <= at);
        assert.deepEqual(windowsOf(pane, size, slide, offset), windowsOf(at, size, slide, offset));
        panes.add(pane);
      }
      assert.ok(panes.size <= 3, 'two, and one that began before');
    }),
  );
});

test('times of this century and beyond lie where small ones do', () => {
  const grid = new Grid(3_600_000, 7001, 13);
  for (const base of [Date.UTC(2026, 10, 21), 8.64e15 - 7_200_000, -8.64e15]) {
    const start = grid.lastStart(base);
    assert.equal((BigInt(start) - 13n) % 7001n, 0n);
    assert.equal(grid.lastStart(start), start);
    assert.equal(grid.lastStart(start - 1), start - 7001);
    assert.equal(grid.pane(start + 7000) - start, 3_600_000 % 7001);
  }
});
