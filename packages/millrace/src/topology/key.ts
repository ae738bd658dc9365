/**
 * Keys and key groups (law 6). Routing and state use the same functions, so a key's state is where its tuples go, and
 * it moves with its key group when the parallelism changes. These values are written to disk: they must never change.
 */
import { MillraceError } from '../errors.ts';

/** What a stream can be keyed by. `global()` keys by the empty tuple. */
export type Key = string | number | bigint | boolean | readonly Key[];
/** A key as one primitive: equal keys, and only they, give the same canonical key. */
export type CanonicalKey = string | number | bigint | boolean;

export const KEY_GROUPS = 256;

/** The canonical form of a key, or undefined if `key` is no key (null, undefined, NaN, ±Infinity, objects, …). */
export function canonicalKey(key: unknown): CanonicalKey | undefined {
  switch (typeof key) {
    case 'string':
      // A string that starts like an encoded tuple is marked, so that it equals no tuple.
      return key.charCodeAt(0) === 0 ? `\0s${key}` : key;
    case 'number':
      return Number.isFinite(key) ? (key === 0 ? 0 : key) : undefined;
    case 'bigint':
    case 'boolean':
      return key;
    default:
      return Array.isArray(key) ? canonicalTuple(key) : undefined;
  }
}

/** '\0(' then each element with its type and length, so that no two tuples read alike. */
function canonicalTuple(tuple: readonly unknown[]): string | undefined {
  let text = '\0(';
  for (const element of tuple) {
    const canonical = canonicalKey(element);
    if (canonical === undefined) return undefined;
    const part = String(canonical);
    text += `${typeMark(canonical)}${part.length}:${part}`;
  }
  return text;
}

function typeMark(key: CanonicalKey): string {
  return typeof key === 'boolean' ? 'o' : typeof key === 'bigint' ? 'i' : typeof key === 'number' ? 'n' : 's';
}

/** The empty tuple, which `global()` keys by. */
const EMPTY: CanonicalKey = canonicalTuple([])!;

/**
 * The key group of a canonical key, 0 to 255: mix(hash(key)) mod 256. The empty tuple's is 0, so that the task that owns
 * it is the one with the lowest id, as Storm says of global.
 */
export function keyGroup(key: CanonicalKey): number {
  if (key === EMPTY) return 0;
  const text = typeof key === 'string' ? key : `${typeMark(key)}${key}`;
  // FNV-1a over UTF-16 code units, then MurmurHash3's 32-bit finalizer, so that close keys spread over the groups.
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & (KEY_GROUPS - 1);
}

/** The task that owns a key group: ⌊group · tasks ÷ 256⌋. */
export function taskOfKeyGroup(group: number, tasks: number): number {
  return (group * tasks) >>> 8;
}

/** For messages: what arrived where a key was wanted. */
export function notAKey(where: string, got: unknown): MillraceError<'MR_KEY'> {
  const shown =
    got === null || typeof got !== 'object'
      ? String(got)
      : Array.isArray(got)
        ? 'a tuple with such an element'
        : 'an object';
  return new MillraceError('MR_KEY', [shown, where]);
}
