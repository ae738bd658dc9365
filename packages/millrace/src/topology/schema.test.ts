import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { fieldsOf, type Schema, type, validate } from './schema.ts';

const Reading = z.object({ device: z.string(), at: z.coerce.date(), tags: z.array(z.object({ name: z.string() })) });

/** A hand-made validator that gives back this result. */
function giving(result: unknown): Schema<unknown> {
  return { '~standard': { version: 1, vendor: 'by hand', validate: () => result } };
}

test('a value comes back as its schema makes it', () => {
  const value = validate(Reading, { device: 'd', at: 5, tags: [] }, 'the value');
  assert.deepEqual(value, { device: 'd', at: new Date(5), tags: [] });
});

test('type<T>() takes everything as it is', () => {
  const value = { any: [Number.NaN] };
  assert.equal(validate(type<unknown>(), value, 'the value'), value);
});

test('a refused value is named, with each issue and the path to it', () => {
  assert.throws(() => validate(Reading, { device: 1, at: 5, tags: [{}] }, 'the value of a record'), {
    code: 'MR_SCHEMA',
    message: /^the value of a record does not match its schema: device: .*; tags\.0\.name: /,
  });
  const issues = [{ message: 'too old' }, { message: 'odd', path: [{ key: 'a' }, 'b', 0] }];
  assert.throws(() => validate(giving({ issues }), 1, 'it'), {
    message: 'it does not match its schema: too old; a.b.0: odd',
  });
});

test('a schema that validates asynchronously is refused, with its vendor', () => {
  const slow = z.string().refine(async () => true);
  assert.throws(() => validate(slow, 'x', 'the value'), { code: 'MR_SCHEMA_ASYNC', message: /the value \(zod\)/ });
});

test('the fields are known where the schema can tell', () => {
  assert.deepEqual(fieldsOf(z.object({ device: z.string(), value: z.number() })), ['device', 'value']);
  assert.equal(fieldsOf(z.string()), undefined);
  assert.equal(fieldsOf(type<{ device: string }>()), undefined);
});
