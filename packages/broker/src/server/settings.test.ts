import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { defaultSettings } from './settings.ts';

const REFERENCE = new URL('../../../../docs/reference/broker-settings.md', import.meta.url);

test('the reference has each setting with its default and its values, and no other', () => {
  const rows = readFileSync(REFERENCE, 'utf8').matchAll(/^\| `(.+?)` \| (.+?) \| (.+?) \|/gm);
  const documented = [...rows].map(([, name, value, values]) => [name, value, values]);
  const expected = Object.entries(defaultSettings)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, String(value), typeof value === 'number' ? 'an integer from 0' : 'true or false']);
  assert.deepEqual(documented, expected);
});
