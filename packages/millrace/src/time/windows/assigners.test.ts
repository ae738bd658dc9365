import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countWindow, session, sliding, tumbling } from './assigners.ts';

const refuses = (make: () => unknown, message: string) => assert.throws(make, { code: 'MR_OPTION', message });

test('a window of no length, or of one that is no duration, is refused where it is made', () => {
  refuses(() => tumbling(0), "'tumbling': size is 0, which is not at least 1 ms");
  refuses(() => tumbling('0s'), `'tumbling': size is "0s", which is not at least 1 ms`);
  refuses(() => tumbling(1.5), "'tumbling': size is 1.5, which is not a whole number of milliseconds");
  refuses(() => session(0), "'session': gap is 0, which is not at least 1 ms");
  refuses(() => sliding('1h', 0), "'sliding': slide is 0, which is not at least 1 ms");
  refuses(() => countWindow(0), "'countWindow': size is 0, which is not an integer from 1 to 10000000");
  for (const wrong of ['1 min', -1, Number.NaN, Number.POSITIVE_INFINITY, undefined, null]) {
    assert.throws(() => tumbling(wrong as never), {
      code: 'MR_OPTION',
      message: /size is .*, which is not a duration/,
    });
  }
});

test('a slide longer than the size is refused: values would be in no window', () => {
  refuses(() => sliding('1m', '1h'), `'sliding': slide is "1h", which is not at most the size (1m)`);
  refuses(() => countWindow(10, 11), "'countWindow': slide is 11, which is not an integer from 1 to 10");
});

test('an offset may be negative, and must be whole; time is that of events or of the clock', () => {
  assert.deepEqual(tumbling('1d', { offset: -8 * 3_600_000 }), {
    kind: 'time',
    size: 86_400_000,
    slide: 86_400_000,
    offset: -28_800_000,
    by: 'event',
  });
  refuses(
    () => tumbling('1d', { offset: 0.5 }),
    "'tumbling': offset is 0.5, which is not a whole number of milliseconds",
  );
  refuses(() => tumbling('1d', { by: 'wall' as never }), `'tumbling': by is "wall", which is not 'event' or 'clock'`);
});

test('a gap that a function gives is checked like any other', () => {
  const { gap } = session((v: { wait: number }) => v.wait) as { gap: (v: { wait: number }) => number };
  assert.equal(gap({ wait: 5 }), 5);
  refuses(() => gap({ wait: 0 }), "'session': gap is 0, which is not at least 1 ms");
});
