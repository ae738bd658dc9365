/**
 * Values as JSON. Encoding refuses what JSON would change behind one's back: bigint, NaN, ±Infinity, undefined in lists,
 * Map, Set, typed arrays, invalid dates. A property that is undefined or a function is left out, and a Date becomes
 * text, as everywhere in JSON.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Codec } from './codec.ts';
import { jsonErrorAt } from './json-error.ts';
import { startOf } from './start-of.ts';
import { decodeText, encodeText } from './utf8.ts';

/** `parse` turns what JSON gave back into the value, or throws: it is where a schema checks. */
export function jsonOf<T>(parse: (value: unknown) => T): Codec<T> {
  return {
    encode: (value) => encodeText(jsonText(value)),
    decode: (bytes) => parse(parsed(bytes)),
  };
}

/** What JSON loses leaves one of these behind. So only the value of a text that holds one is looked at again. */
const SUSPECT = /null|\{\}|"0":/;

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // V8's message draws the circle that it found, over several lines.
    const isCycle = /circular/.test(messageOf(error));
    if (!isCycle) checkLossless(value);
    const what = isCycle ? 'a value that contains itself' : `refused (${messageOf(error)})`;
    throw new MillraceError('MR_ENCODE', ['JSON', 'the value', what], error);
  }
  if (text === undefined || (SUSPECT.test(text) && !isPlainData(value))) checkLossless(value);
  return text!;
}

/** True for data that JSON surely keeps: plain objects and lists of finite numbers, texts, booleans and nulls. */
function isPlainData(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return false;
  if (Array.isArray(value)) return isPlainList(value);
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false;
  for (const part of Object.values(value)) if (!isLeftOut(part) && !isPlainData(part)) return false;
  return true;
}

/** MR_ENCODE with the path to the first part of `value` that JSON would lose. */
function checkLossless(value: unknown): void {
  const paths = new Map<object, string>();
  JSON.stringify(value, function (this: object, name: string, part: unknown) {
    const parent = paths.get(this);
    const path = parent === undefined ? 'value' : Array.isArray(this) ? `${parent}[${name}]` : `${parent}.${name}`;
    const left = parent !== undefined && !Array.isArray(this) && isLeftOut(part);
    const what = left ? undefined : lossOf(part, (this as Record<string, unknown>)[name]);
    if (what !== undefined) throw new MillraceError('MR_ENCODE', ['JSON', path, what]);
    if (typeof part === 'object' && part !== null) paths.set(part, path);
    return part;
  });
}

/** By index, because `every` skips holes, which JSON turns into null. */
function isPlainList(list: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) if (!isPlainData(list[i])) return false;
  return true;
}

function isLeftOut(part: unknown): boolean {
  return part === undefined || typeof part === 'function' || typeof part === 'symbol';
}

/** What `part` is, if JSON loses it. `original` is the part before its own `toJSON`. */
function lossOf(part: unknown, original: unknown): string | undefined {
  if (original instanceof Date && part === null) return 'an invalid date';
  if (typeof part === 'number') return Number.isFinite(part) ? undefined : String(part);
  if (typeof part === 'bigint') return `the bigint ${part}`;
  if (isLeftOut(part)) return part === undefined ? 'undefined' : `a ${typeof part}`;
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(part);
  const isPlain = prototype === Object.prototype || prototype === null;
  const isHollow = ArrayBuffer.isView(part) || (!isPlain && Object.keys(part).length === 0);
  return isHollow ? `an instance of ${part.constructor.name}` : undefined;
}

function parsed(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MillraceError('MR_DECODE', ['JSON', jsonErrorAt(text), startOf(bytes)], error);
  }
}
