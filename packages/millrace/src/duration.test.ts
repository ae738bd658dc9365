import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Duration, formatDuration, milliseconds } from './duration.ts';

test('a number is milliseconds, text has its units', () => {
  const cases: readonly (readonly [Duration, number])[] = [
    [0, 0],
    [1.5, 1.5],
    ['0ms', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1m30s', 90_000],
    ['1s500ms', 1500],
    ['1m5ms', 60_005],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1d12h', 129_600_000],
  ];
  for (const [text, ms] of cases) assert.equal(milliseconds(text), ms, String(text));
});

test('anything else is refused, and named', () => {
  const wrong = [
    '',
    's',
    '10',
    '10 s',
    ' 10s',
    '10s ',
    '10sec',
    '-1s',
    '1s1m',
    '1s1s',
    '1e3ms',
    '.5s',
    'PT5S',
    '1S',
    '٣s',
  ];
  for (const got of [...wrong, -1, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, {}, 5n])
    assert.throws(() => milliseconds(got as Duration), { code: 'MR_DURATION' }, String(got));
  assert.throws(() => milliseconds('10 sec' as Duration), { message: /^"10 sec" is not a duration: write .*'1m30s'/ });
  assert.throws(() => milliseconds(Number.NaN), { message: /^NaN is not a duration/ });
});

test('a span is written for people in at most two units', () => {
  const cases = [
    [0, '0ms'],
    [0.4, '0ms'],
    [250, '250ms'],
    [999.6, '1s'],
    [10_000, '10s'],
    [90_000, '1m30s'],
    [7_500_000, '2h5m'],
    [604_800_000, '7d'],
    [90_061_001, '1d1h'],
  ] as const;
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
});

test('what is written for people is read as a duration that is no longer, and less than a second shorter', () => {
  fc.assert(
    fc.property(fc.nat(3_599_999), (ms) => {
      const read = milliseconds(formatDuration(ms) as Duration);
      assert.ok(read <= ms && ms - read < 1000, `${ms} became ${read}`);
    }),
  );
});
