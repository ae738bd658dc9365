import { test } from 'node:test';
import fc from 'fast-check';
import { count } from './count.ts';
import { agrees } from './every-way.fixture.ts';

test('count is how many values there are', () => {
  agrees(count(), fc.integer(), (samples) => samples.length);
});
