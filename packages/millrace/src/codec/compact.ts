/**
 * For the many small values of state: as JSON where JSON holds the same, which is ten times as quick, and as a structured
 * clone otherwise. An object that a value holds twice may come back as two.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Codec } from './codec.ts';
import { startOf } from './start-of.ts';
import { structured } from './structured.ts';

/** What a structured clone begins with, and no text does. */
const STRUCTURED = 0xff;
/** Parts of a value that are looked at; structured clones are as quick for larger ones. */
const PARTS = 64;

export const compact: Codec<unknown> = {
  encode(value) {
    return partsLeft(value, PARTS) >= 0 ? Buffer.from(JSON.stringify(value)) : structured.encode(value);
  },
  decode(bytes) {
    if (bytes[0] === STRUCTURED || bytes.byteLength === 0) return structured.decode(bytes);
    const text = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      return JSON.parse(text.toString());
    } catch (error) {
      throw new MillraceError('MR_DECODE', ['JSON or a structured clone', messageOf(error), startOf(bytes)], error);
    }
  },
};

/** How many parts may be left to look at after this one; negative if JSON would lose something, or there are too many. */
function partsLeft(value: unknown, parts: number): number {
  if (parts <= 0) return -1;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return parts - 1;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? parts - 1 : -1;
    case 'object':
      return value === null ? parts - 1 : Array.isArray(value) ? ofArray(value, parts - 1) : ofObject(value, parts - 1);
    default:
      return -1;
  }
}

function ofArray(value: readonly unknown[], parts: number): number {
  let left = parts;
  for (let i = 0; i < value.length && left >= 0; i++) left = partsLeft(value[i], left);
  // Like what RegExp.exec gives, it may have properties beside its elements.
  return left < 0 || Object.keys(value).length === value.length ? left : -1;
}

function ofObject(value: object, parts: number): number {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  let left = parts;
  for (const name in value) {
    left = partsLeft((value as { readonly [name: string]: unknown })[name], left);
    if (left < 0) break;
  }
  return left;
}
