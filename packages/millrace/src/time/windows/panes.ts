/** The panes of one key, in their order. Only panes that hold something are there. */
import type { Accumulators } from './columns.ts';

export interface Pane {
  readonly start: number;
  readonly accumulators: Accumulators;
}

/** The index of the first pane that starts at `at` or later. */
export function firstFrom(panes: readonly Pane[], at: number): number {
  const { length } = panes;
  // Nearly always it is at the newest end.
  if (length === 0 || panes[length - 1]!.start < at) return length;
  if (length === 1 || panes[length - 2]!.start < at) return length - 1;
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (panes[middle]!.start < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Removes the first `n` panes. */
export function dropFirst(panes: Pane[], n: number): void {
  if (n === 1) panes.shift();
  else if (n > 0) panes.splice(0, n);
}
