/**
 * When two runs gave the same: for each key and stream the same values with the same times, in the same order; where the
 * inputs came in another order, in any. Nothing is said about the order between keys.
 */
import { inspect, isDeepStrictEqual } from 'node:util';
import { shown } from '../../codec/shown.ts';
import type { Key } from '../../topology/key.ts';
import { canonicalKey } from '../../topology/key.ts';
import type { Came } from './stage.ts';

export interface Comparing {
  /** In the order in which they came out. */
  readonly ordered: boolean;
  /** What was emitted for no key belongs to a task, so it counts only where there are as many tasks. */
  readonly keyless: boolean;
  /** What of the values of one key and stream must be the same. */
  readonly same: ((came: readonly Came[]) => unknown) | undefined;
}

/** What differs, for people; undefined if nothing. `first` and `second` say whose results they are. */
export function difference(first: readonly Came[], second: readonly Came[], how: Comparing): string | undefined {
  const [a, b] = [byPlace(first, how.keyless), byPlace(second, how.keyless)];
  for (const [place, { key, stream }] of new Map([...a, ...b])) {
    const [left, right] = [a.get(place)?.came ?? [], b.get(place)?.came ?? []];
    if (areSame(left, right, how)) continue;
    const of = key === undefined ? '' : `, key ${shown(key)}`;
    return `stream ${stream}${of}:\n${sides(left, right)}`;
  }
  return undefined;
}

interface Place {
  readonly key: Key | undefined;
  readonly stream: string;
  readonly came: Came[];
}

function byPlace(came: readonly Came[], keyless: boolean): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const one of came) {
    if (one.key === undefined && !keyless) continue;
    const key = canonicalKey(one.key);
    const place = `${typeof key} ${key} ${one.stream}`;
    const there = places.get(place);
    if (there === undefined) places.set(place, { key: one.key, stream: one.stream, came: [one] });
    else there.came.push(one);
  }
  return places;
}

function areSame(left: readonly Came[], right: readonly Came[], { ordered, same }: Comparing): boolean {
  if (same !== undefined) {
    const [a, b] = [same(left), same(right)];
    return ordered ? isDeepStrictEqual(a, b) : isDeepStrictEqual(rounded(a), rounded(b));
  }
  if (left.length !== right.length) return false;
  if (ordered)
    return left.every((one, i) => one.time === right[i]!.time && isDeepStrictEqual(one.value, right[i]!.value));
  const [a, b] = [texts(left), texts(right)];
  return a.every((text, i) => text === b[i]);
}

const texts = (came: readonly Came[]) => came.map(({ value, time }) => `${time} ${exact(rounded(value))}`).sort();

/** A sum of fractions depends on their order: twelve digits of it count. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(12));
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(rounded);
  if (value instanceof Map) return new Map([...value].map(([name, part]) => [name, rounded(part)]));
  if (value instanceof Set) return new Set([...value].map(rounded));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, rounded(part)]));
}

const ROWS = 12;

/** Both sides from shortly before the first difference. */
function sides(left: readonly Came[], right: readonly Came[]): string {
  const shownOf = ({ value, time }: Came) => `${shown(value)} at ${time}`;
  const [a, b] = [left.map(shownOf), right.map(shownOf)];
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  const from = at < ROWS ? 0 : at - 2;
  return `    as given: ${rows(a, from)}\n    this way: ${rows(b, from)}`;
}

function rows(texts: readonly string[], from: number): string {
  if (texts.length === 0) return 'nothing';
  const some = texts.slice(from, from + ROWS);
  const before = from > 0 ? [`(${from} before)`] : [];
  const after = texts.length > from + ROWS ? [`(${texts.length - from - ROWS} more)`] : [];
  return [...before, ...some, ...after].join(', ');
}

const exact = (value: unknown) =>
  inspect(value, {
    depth: Number.POSITIVE_INFINITY,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Number.POSITIVE_INFINITY,
    sorted: true,
  });
