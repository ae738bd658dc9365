import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MillraceError } from '../errors.ts';
import { jsonOf } from './json.ts';

const json = jsonOf((value) => value);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const lost = (value: unknown, path: string, what: string) =>
  assert.throws(
    () => json.encode(value),
    (error) =>
      error instanceof MillraceError && error.code === 'MR_ENCODE' && error.message.startsWith(`${path} is ${what}`),
  );
const refused = (bytes: Uint8Array, message: RegExp) =>
  assert.throws(
    () => json.decode(bytes),
    (error) => error instanceof MillraceError && error.code === 'MR_DECODE' && message.test(error.message),
  );

test('every JSON value comes back as it went in', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      assert.deepEqual(json.decode(json.encode(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('what JSON would lose is refused, with the path to it', () => {
  lost(1n, 'value', 'the bigint 1');
  lost(undefined, 'value', 'undefined');
  lost(() => 1, 'value', 'a function');
  lost({ a: { b: [1, { c: 5n }] } }, 'value.a.b[1].c', 'the bigint 5');
  lost({ a: Number.NaN }, 'value.a', 'NaN');
  lost([[Number.NEGATIVE_INFINITY]], 'value[0][0]', '-Infinity');
  lost({ list: [undefined] }, 'value.list[0]', 'undefined');
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
  lost({ list: [1, , 2] }, 'value.list[1]', 'undefined');
  lost({ seen: new Map([[1, 2]]) }, 'value.seen', 'an instance of Map');
  lost({ seen: new Set([1]) }, 'value.seen', 'an instance of Set');
  lost({ at: new Date(Number.NaN) }, 'value.at', 'an invalid date');
  lost({ raw: new Uint8Array(2) }, 'value.raw', 'an instance of Uint8Array');
  lost({ raw: new Uint8Array(0) }, 'value.raw', 'an instance of Uint8Array');
  lost({ failed: new Error('x') }, 'value.failed', 'an instance of Error');
});

test('what only looks like a loss goes through', () => {
  for (const value of [null, { a: null, b: {} }, { '0': 1 }, 'null {} "0":', [null, {}]])
    assert.deepEqual(json.decode(json.encode(value)), value);
  assert.deepEqual(json.decode(json.encode({ a: undefined, b: null })), { b: null });
  assert.deepEqual(json.decode(json.encode({ at: new Date(0), none: null })), {
    at: '1970-01-01T00:00:00.000Z',
    none: null,
  });
});

test('a value that says by itself how it becomes JSON is checked as it says', () => {
  const money = (cents: unknown) => ({ none: null, price: { toJSON: () => ({ cents }) } });
  assert.deepEqual(json.decode(json.encode(money(5))), { none: null, price: { cents: 5 } });
  lost(money(Number.NaN), 'value.price.cents', 'NaN');
});

test('a cycle is refused', () => {
  const value: { self?: unknown } = {};
  value.self = value;
  assert.throws(() => json.encode(value), { code: 'MR_ENCODE', message: /contains itself/ });
});

test('bytes that are no JSON are refused, with the offset and how they start', () => {
  refused(bytesOf(''), /ends too early, at offset 0; it starts with nothing/);
  refused(bytesOf('{"a":1'), /ends too early, at offset 6; it starts with "{\\"a\\":1" \(6 bytes\)/);
  refused(bytesOf('hello'), /unexpected "h" at offset 0 of 5/);
  refused(bytesOf('{"a":[1,2,]}'), /unexpected "\]" at offset 10 of 12/);
  refused(bytesOf('{"a":1}}'), /unexpected "}" at offset 7 of 8/);
  refused(bytesOf('{a:1}'), /unexpected "a" at offset 1/);
  refused(bytesOf('[1 2]'), /unexpected "2" at offset 3/);
  refused(bytesOf('[01]'), /unexpected "1" at offset 2/);
  refused(bytesOf('["a\\x"]'), /unknown escape at offset 3 of 7/);
  refused(bytesOf('["\\u12g4"]'), /unknown escape at offset 2/);
  refused(bytesOf('{"a":"b\nc"}'), /unexpected "\\n" at offset 7/);
  refused(
    Uint8Array.of(0x7b, 0x22, 0xff),
    /UTF-8 text: byte 2 is invalid; it starts with the bytes 7b 22 ff \(3 bytes\)/,
  );
});

test('the offset is the one that V8 names, where it names one', () => {
  let compared = 0;
  const damages = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('', '}', ']', ',', ':', 'x', '"', '1', ' ', '\n', '{', '['),
    fc.nat(2),
  );
  const holds = fc.property(damages, ([text, at, put, less]) => {
    const cut = at % (text.length + 1);
    const damaged = text.slice(0, cut) + put + text.slice(cut + less);
    const named = positionByV8(damaged);
    if (named === undefined) return;
    compared++;
    refused(bytesOf(damaged), new RegExp(`at offset ${named}( |;)`));
  });
  fc.assert(holds, { numRuns: 1000 });
  assert.ok(compared > 100, `${compared} compared`);
});

/** The position in V8's message for a text that is no JSON, if there is one. */
function positionByV8(text: string): number | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    // Inside a number V8 points at the first character that cannot be a part of it, and we where no number is.
    if (/number|escape|point|fraction/i.test(message)) return undefined;
    if (/Unterminated|end of JSON/.test(message)) return text.length;
    const position = /position (\d+)/.exec(message)?.[1];
    return position === undefined ? undefined : Number(position);
  }
}

test('what `parse` throws is what decode throws', () => {
  const strict = jsonOf(() => {
    throw new RangeError('too old');
  });
  assert.throws(() => strict.decode(bytesOf('1')), RangeError);
});

test('a text of many megabytes that is no JSON is refused, too', () => {
  refused(bytesOf(`{"a":"${'x'.repeat(10_000_000)}`), /within the text that starts at offset 5, at offset 10000006/);
  refused(bytesOf(`{"a":"${'x'.repeat(10_000_000)}" 1`), /unexpected "1" at offset 10000008/);
});
