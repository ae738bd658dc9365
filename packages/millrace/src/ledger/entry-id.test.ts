import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { entryId } from './entry-id.ts';
import type { LedgerCause } from './ledger.ts';

const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,5}$/);
const place = fc.record({
  topology: name,
  spout: name,
  split: fc.string({ unit: 'grapheme', maxLength: 8 }),
  position: fc.nat(50),
  component: name,
  output: fc.nat(20),
  cause: fc.constantFrom<LedgerCause>('null', 'error', 'key'),
});
const idOf = ({
  topology,
  spout,
  split,
  position,
  component,
  output,
  cause,
}: typeof place extends fc.Arbitrary<infer P> ? P : never) =>
  entryId(topology, { spout, split, position }, component, output, cause);

test('the same place and cause have the same id, any other another', () => {
  fc.assert(
    fc.property(place, place, (a, b) => {
      assert.equal(idOf(a), idOf({ ...a }));
      assert.equal(idOf(a) === idOf(b), JSON.stringify(Object.values(a)) === JSON.stringify(Object.values(b)));
    }),
  );
});

test('a person can read it and a shell can take it', () => {
  const origin = { spout: 'lines', split: '/var/log/a b:1.txt', position: 17 };
  assert.equal(
    entryId('wc', origin, 'count', 0, 'malformed'),
    'wc:lines:%2Fvar%2Flog%2Fa%20b%3A1.txt:17:count:0:malformed',
  );
});
