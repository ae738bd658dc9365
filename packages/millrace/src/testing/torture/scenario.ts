/** What a bolt is put through: inputs with their times, watermarks, and time that passes; and the other orders it may come in. */
import type { Duration } from '../../duration.ts';
import type { CanonicalKey } from '../../topology/key.ts';
import { canonicalKey } from '../../topology/key.ts';
import type { KeyFunction } from './probe.ts';

/** `input`: its name, where the bolt has several. Watermarks, times: milliseconds since 1970. */
export type Step<V> =
  | readonly [value: V, time: number, input?: string]
  | { readonly watermark: number }
  | { readonly advance: Duration };

export type AnyStep = Step<unknown>;
type InputStep = Extract<AnyStep, readonly unknown[]>;

export const isInput = (step: AnyStep): step is InputStep => Array.isArray(step);

/** What may change places. */
export interface Disorder {
  readonly keyOf: KeyFunction;
  /** Records of one key may come in any order that is within this many milliseconds; undefined: their order counts. */
  readonly outOfOrder: number | undefined;
  /** Records of one key with one time, too. */
  readonly ties: 'ordered' | 'unordered';
}

/** Another order of the same steps, in which nothing is late that was not, and nothing that was late no longer is. */
export function reordered(steps: readonly AnyStep[], disorder: Disorder, random: () => number): readonly AnyStep[] {
  const shuffled = [...steps];
  const keys = new Map(steps.filter(isInput).map((step) => [step, canonicalKey(disorder.keyOf(step[0], step[2]))]));
  for (let left = 4 * steps.length * Math.ceil(Math.sqrt(steps.length)); left > 0; left--) {
    const at = Math.floor(random() * (shuffled.length - 1));
    const [a, b] = [shuffled[at], shuffled[at + 1]];
    if (a === undefined || b === undefined || !maySwap(a, b, disorder, keys)) continue;
    shuffled[at] = b;
    shuffled[at + 1] = a;
  }
  return shuffled;
}

function maySwap(
  a: AnyStep,
  b: AnyStep,
  { outOfOrder, ties }: Disorder,
  keys: ReadonlyMap<AnyStep, CanonicalKey | undefined>,
): boolean {
  if (isInput(a) && isInput(b)) {
    if (keys.get(a) !== keys.get(b)) return true;
    if (outOfOrder === undefined) return false;
    if (a[1] === b[1]) return ties === 'unordered';
    return Math.abs(a[1] - b[1]) <= outOfOrder;
  }
  // That a record is ahead of the watermark says nothing about which of the two comes first; if it is behind, it is late.
  if (outOfOrder === undefined) return false;
  if (isInput(a) && 'watermark' in b) return a[1] > b.watermark;
  if (isInput(b) && 'watermark' in a) return b[1] > a.watermark;
  return false;
}
