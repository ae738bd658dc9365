import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { jsonSchemaOf, type Schema } from '../topology/schema.ts';
import { agree, structureOf, structureOfSchema, textOf } from './structure.ts';

const ofSchema = (schema: Schema<unknown>) => structureOfSchema(jsonSchemaOf(schema));

test('an example tells what it is', () => {
  for (const [example, text] of [
    [1, 'number'],
    [undefined, 'unknown'],
    [null, 'unknown'],
    [[], 'unknown[]'],
    [[1, 2], 'number[]'],
    [[1, 'a'], 'unknown[]'],
    [{ b: [{ c: true }], a: 1n, 'd-e': null }, '{ a: bigint; b: { c: boolean }[]; "d-e": unknown }'],
    [{}, 'Record<string, unknown>'],
    [new Map(), 'Map'],
    [new Date(0), 'Date'],
    [Object.create(null), 'Record<string, unknown>'],
  ] as const) {
    assert.equal(textOf(structureOf(example)), text);
  }
});

test('a schema tells what it is, where it can', () => {
  const Kind = z.enum(['a', 'b']);
  for (const [schema, text] of [
    [z.number().int(), 'number'],
    [
      z.object({ a: z.string(), b: Kind.optional(), c: z.record(z.string(), z.number()) }),
      '{ a: string; b?: string; c: Record<string, number> }',
    ],
    [z.array(z.union([z.string(), z.number(), z.null()])), '(null | number | string)[]'],
    [z.string().nullable(), 'null | string'],
    [z.literal(5), 'number'],
    [z.object({ at: z.date(), any: z.unknown() }), '{ any: unknown; at: unknown }'],
    [z.tuple([z.number()]), 'unknown[]'],
    [z.date(), 'unknown'],
  ] as const) {
    assert.equal(textOf(ofSchema(schema)), text);
  }
});

test('what is not known agrees with everything, the rest only with its like', () => {
  const shapes = [1, 'a', [1], ['a'], { a: 1 }, { a: 'a' }, { a: 1, b: 1 }, new Map(), new Set()].map(structureOf);
  const schemas = [z.object({ a: z.number().optional() }), z.string().nullable(), z.record(z.string(), z.number())];
  const all = [...shapes, ...schemas.map(ofSchema)];
  for (const [i, a] of all.entries()) for (const [j, b] of all.entries()) assert.equal(agree(a, b), i === j);
  for (const a of all) for (const b of ['unknown', structureOf(null)]) assert.ok(agree(a, b) && agree(b, a));
  assert.ok(agree(structureOf({ a: null, b: [] }), structureOf({ b: [1], a: { c: 1 } })));
  assert.ok(agree(structureOf({}), ofSchema(schemas[2]!)));
});
