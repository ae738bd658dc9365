/**
 * Whether a run came out as it must. Exactly-once: the same values, those of one key in the same order. Convergent: the
 * same last value of each key. At least once: nothing missing and nothing invented.
 */
import { inspect } from 'node:util';
import { shown } from '../../codec/shown.ts';
import type { PathGuarantee } from '../../topology/receipt.ts';

export interface Comparing {
  readonly guarantee: PathGuarantee;
  /** Of a value; undefined where no order counts. */
  readonly keyOf: ((value: never) => unknown) | undefined;
}

/** What is wrong with an output, for people; undefined if nothing. */
export function wrong(
  output: string,
  expected: readonly unknown[],
  came: readonly unknown[],
  { guarantee, keyOf }: Comparing,
): string | undefined {
  const problem =
    guarantee === 'convergent'
      ? difference(lastOfEach(expected, keyOf), lastOfEach(came, keyOf))
      : guarantee === 'exactly-once'
        ? (difference(expected, came) ?? otherOrder(expected, came, keyOf))
        : missing(expected, came);
  return problem === undefined ? undefined : `'${output}' (${guarantee}): ${problem}`;
}

/** As text that equal values share and no others. A sum of fractions depends on their order: twelve digits of it count. */
export function textOf(value: unknown): string {
  return inspect(rounded(value), {
    depth: Number.POSITIVE_INFINITY,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Number.POSITIVE_INFINITY,
    sorted: true,
  });
}

function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(12));
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, rounded(part)]));
}

function countsOf(values: readonly unknown[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of values.map(textOf)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** Both as multisets. */
function difference(expected: readonly unknown[], came: readonly unknown[]): string | undefined {
  const [left, right] = [countsOf(expected), countsOf(came)];
  const lost: string[] = [];
  const extra: string[] = [];
  for (const text of new Set([...left.keys(), ...right.keys()])) {
    const more = (right.get(text) ?? 0) - (left.get(text) ?? 0);
    if (more < 0) lost.push(more === -1 ? text : `${-more} times ${text}`);
    if (more > 0) extra.push(more === 1 ? text : `${more} times ${text}`);
  }
  return told(lost, extra);
}

function missing(expected: readonly unknown[], came: readonly unknown[]): string | undefined {
  const [left, right] = [countsOf(expected), countsOf(came)];
  return told(
    [...left.keys()].filter((text) => !right.has(text)),
    [...right.keys()].filter((text) => !left.has(text)),
  );
}

function told(lost: readonly string[], extra: readonly string[]): string | undefined {
  const some = (texts: readonly string[]) =>
    `${texts.slice(0, 5).join(', ')}${texts.length > 5 ? `, and ${texts.length - 5} more` : ''}`;
  const parts = [
    ...(lost.length > 0 ? [`${lost.length} missing: ${some(lost)}`] : []),
    ...(extra.length > 0 ? [`${extra.length} too many: ${some(extra)}`] : []),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

type KeyOf = Comparing['keyOf'];

function byKey(values: readonly unknown[], keyOf: NonNullable<KeyOf>): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const value of values) {
    const key = textOf(keyOf(value as never));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function lastOfEach(values: readonly unknown[], keyOf: KeyOf): readonly unknown[] {
  return [...byKey(values, keyOf!).values()].map((group) => group.at(-1));
}

function otherOrder(expected: readonly unknown[], came: readonly unknown[], keyOf: KeyOf): string | undefined {
  if (keyOf === undefined) return undefined;
  const right = byKey(came, keyOf);
  for (const [key, group] of byKey(expected, keyOf)) {
    const there = right.get(key)!;
    const at = group.findIndex((value, i) => textOf(value) !== textOf(there[i]));
    if (at >= 0) return `key ${key} has another order: ${shown(group[at])} was to come where ${shown(there[at])} came`;
  }
  return undefined;
}
