/**
 * Values as V8's structured clone writes them: Date, Map, Set, bigint, typed arrays, cycles and undefined survive. For
 * edges between workers and for the ledger's payloads. Functions and symbols are refused; an instance of a class comes
 * back as a plain object.
 */
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { MillraceError, messageOf } from '../errors.ts';
import type { Codec } from './codec.ts';
import { startOf } from './start-of.ts';

export const structured: Codec<unknown> = {
  encode(value) {
    try {
      return serialize(value);
    } catch (error) {
      const { path, what } = uncloneable(value, 'value', new Set()) ?? { path: 'value', what: messageOf(error) };
      throw new MillraceError('MR_ENCODE', ['structured clone', path, what], error);
    }
  },
  decode(bytes) {
    try {
      return deserialize(bytes);
    } catch (error) {
      const details = ['a structured clone', messageOf(error), startOf(bytes)] as const;
      throw new MillraceError('MR_DECODE', [...details], error);
    }
  },
};

interface Found {
  readonly path: string;
  readonly what: string;
}

/** The first part of a value that a structured clone cannot hold, depth first. */
function uncloneable(value: unknown, path: string, seen: Set<object>): Found | undefined {
  return find(value, path, seen, (part) => {
    try {
      serialize(part);
      return false;
    } catch {
      return true;
    }
  });
}

/** The first part that would not come back as it is, depth first: as above, or an instance of a class. */
export function unfaithful(value: unknown): Found | undefined {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return undefined;
  return find(value, 'value', new Set(), (part) => !isPlain(part));
}

function find(value: unknown, path: string, seen: Set<object>, refuses: (part: object) => boolean): Found | undefined {
  if (typeof value === 'function') return { path, what: `the function ${value.name || '(anonymous)'}` };
  if (typeof value === 'symbol') return { path, what: `the symbol ${String(value)}` };
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
  seen.add(value);
  for (const [part, at] of partsOf(value, path)) {
    const found = find(part, at, seen, refuses);
    if (found) return found;
  }
  return refuses(value) ? { path, what: `an instance of ${value.constructor?.name ?? 'an unknown class'}` } : undefined;
}

/** Whether it is of no class but those that a structured clone gives back. */
function isPlain(value: object): boolean {
  if (Array.isArray(value) || ArrayBuffer.isView(value) || KNOWN.some((is) => is(value))) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const KNOWN = [
  types.isDate,
  types.isMap,
  types.isSet,
  types.isRegExp,
  types.isAnyArrayBuffer,
  types.isNativeError,
  types.isBoxedPrimitive,
];

function* partsOf(value: object, path: string): Generator<readonly [part: unknown, path: string]> {
  if (ArrayBuffer.isView(value)) return;
  if (value instanceof Map) {
    for (const [key, part] of value) {
      yield [key, `${path}.keys()`];
      yield [part, `${path}.get(${shown(key)})`];
    }
  } else if (value instanceof Set) {
    for (const part of value) yield [part, `${path}.values()`];
  } else if (Array.isArray(value)) {
    for (const [i, part] of value.entries()) yield [part, `${path}[${i}]`];
  } else {
    for (const [name, part] of Object.entries(value)) yield [part, `${path}.${name}`];
  }
}

function shown(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key) : String(key);
}
