/** The id of a ledger entry (law 8): the same failure of the same record has the same id, so a replay adds no entry. */
import type { LedgerCause, Origin } from './ledger.ts';

/** `outputIndex` tells apart the values that one record became on its way to `component`, and is the same in a replay. */
export function entryId(
  topology: string,
  origin: Origin,
  component: string,
  outputIndex: number,
  cause: LedgerCause,
): string {
  const { spout, split, position } = origin;
  // A split may be any text (a path, say): encoded, it cannot be mistaken for the parts around it.
  return [topology, spout, encodeURIComponent(split.toWellFormed()), position, component, outputIndex, cause].join(':');
}
