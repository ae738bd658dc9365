import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '../topology/schema.ts';
import { json } from './json.ts';

const port: Schema<{ port: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const given = Number((value as { port?: unknown }).port);
      return Number.isInteger(given)
        ? { value: { port: given } }
        : { issues: [{ message: 'not a whole number', path: ['port'] }] };
    },
  },
};

test('a decoded value is what the schema gives back', () => {
  assert.deepEqual(json(port).decode(new TextEncoder().encode('{"port":"9092"}')), { port: 9092 });
});

test('a value that the schema refuses is refused, with each issue', () => {
  assert.throws(() => json(port).decode(new TextEncoder().encode('{"port":"x"}')), {
    code: 'MR_SCHEMA',
    message: 'the JSON value does not match its schema: port: not a whole number',
  });
});
