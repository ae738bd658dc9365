import { test } from 'node:test';
import fc from 'fast-check';
import { agrees } from './every-way.fixture.ts';
import { timeSpan } from './time-span.ts';

test('a span is from the earliest to the latest time', () => {
  agrees(timeSpan, fc.constant(undefined), (samples) => {
    const times = samples.map(({ time }) => time);
    return [Math.min(...times), Math.max(...times)] as const;
  });
});
