/**
 * Which parts of a component's state are merged, and how. Parts of like size are, so that each key is written again only a
 * few times however long the topology runs, and there are never many parts to read at a start
 * (docs/decisions/0601-checkpoint-files.md has the figures).
 */
import type { SavedKey } from '../state/keyed-store.ts';
import type { CanonicalKey } from '../topology/key.ts';
import { canonicalKey, KEY_GROUPS } from '../topology/key.ts';
import type { SavedPart } from './checkpoint-store.ts';

/** So many neighbours of like size are merged. */
const RUN = 4;
/** How much larger than all that are newer together a part may be, to be of like size. */
const LIKE = 1.5;
/** So many parts are too many: less alike ones are merged as well. */
const MOST = 10;

/** The first of those at the end that are to be merged; undefined: none. `bytes` of each part, the oldest first. */
export function mergeFrom(bytes: readonly number[]): number | undefined {
  const from = runOf(bytes, LIKE);
  if (bytes.length - from >= RUN) return from;
  if (bytes.length < MOST) return undefined;
  for (let like = LIKE; ; like *= 1.5) {
    const wider = runOf(bytes, like);
    if (bytes.length - wider >= RUN - 1) return wider;
  }
}

function runOf(bytes: readonly number[], like: number): number {
  let from = bytes.length - 1;
  let sum = bytes[from] ?? 0;
  while (from > 0 && bytes[from - 1]! <= Math.max(1, sum) * like) {
    from--;
    sum += bytes[from]!;
  }
  return from;
}

/**
 * What the parts say together, by key group; one key after the other, and undefined now and then where there is nothing
 * to give. With `whole` nothing is older than these parts, so keys that are gone are left out. One key group is in memory.
 */
export function* mergedKeys(parts: readonly SavedPart[], whole: boolean): Generator<SavedKey | undefined> {
  const newestFirst = parts.map((part) => part.keys(0, KEY_GROUPS)[Symbol.iterator]()).reverse();
  try {
    const next = newestFirst.map((keys) => keys.next());
    for (let group = 0; group < KEY_GROUPS; group++) {
      const seen = new Set<CanonicalKey>();
      for (const [i, keys] of newestFirst.entries()) {
        for (let one = next[i]!; !one.done && one.value.group === group; one = next[i] = keys.next()) {
          const id = canonicalKey(one.value.key)!;
          const isWanted = !seen.has(id) && !(whole && one.value.data === undefined);
          seen.add(id);
          yield isWanted ? one.value : undefined;
        }
      }
    }
  } finally {
    for (const keys of newestFirst) keys.return?.();
  }
}

/** Parts that follow each other and are of the same shapes. Others are not merged: `restore` takes each over by its own. */
export function runsOfEqualShapes(parts: readonly SavedPart[]): readonly (readonly SavedPart[])[] {
  const runs: SavedPart[][] = [];
  let last: string | undefined;
  for (const part of parts) {
    const text = JSON.stringify(part.shapes);
    if (text === last) runs.at(-1)!.push(part);
    else runs.push([part]);
    last = text;
  }
  return runs;
}
