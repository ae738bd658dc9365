/** What a snapshot has of one key, as bytes and back. */
import { compact } from '../codec/compact.ts';
import { unfaithful } from '../codec/structured.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { Key } from '../topology/key.ts';
import type { Cells, Kept } from './cells.ts';
import type { Entry } from './entry.ts';
import type { SavedKey } from './keyed-store.ts';

export interface SavedContent {
  /** By the order of the shapes; null where there is nothing. */
  readonly cells: readonly (Kept | null)[];
  /** For each timer the number of its declaration, its time, and its order. */
  readonly timers: readonly number[];
}

/** What of a store its keys are saved with. */
export interface Declared {
  readonly component: string;
  readonly cells: readonly Cells[];
  readonly timerNames: readonly string[];
}

/** A key that holds nothing any more, because it has expired, is gone. */
export function saveKey(entry: Entry, declared: Declared): SavedKey {
  const { group, key } = entry;
  const { cells, timers } = contentOf(entry, declared);
  const isGone = timers.length === 0 && cells.every((kept) => kept === null);
  return { group, key, data: isGone ? undefined : encoded(cells, timers, key, declared) };
}

export function contentOf(entry: Entry, { cells, timerNames }: Declared): SavedContent {
  const kept = cells.map((kind) => {
    const cell = entry.cell(kind.index);
    return cell === undefined ? null : (kind.save(cell) ?? null);
  });
  const timers: number[] = [];
  for (let timer = entry.timers; timer !== undefined; timer = timer.next) {
    timers.push(timerNames.indexOf(timer.name), timer.time, timer.order);
  }
  return { cells: kept, timers };
}

/** `states` is how many the shapes have. */
export function contentFrom(data: Uint8Array, states: number): SavedContent {
  const content = compact.decode(data) as (SavedContent['cells'][number] | number)[];
  const timers = content.splice(states) as number[];
  return { cells: content as SavedContent['cells'], timers };
}

function encoded(
  kept: SavedContent['cells'],
  timers: readonly number[],
  key: Key,
  { component, cells }: Declared,
): Uint8Array {
  try {
    return compact.encode(timers.length === 0 ? kept : [...kept, ...timers]);
  } catch (error) {
    for (const [i, one] of kept.entries()) {
      const found = one && unfaithful(one[0]);
      if (found) {
        const where = `${cells[i]!.what} of key ${shownKey(key)}`;
        throw new MillraceError('MR_STATE_VALUE', [component, where, found.path, found.what], error);
      }
    }
    throw new MillraceError('MR_STATE_VALUE', [component, `key ${shownKey(key)}`, 'a value', messageOf(error)], error);
  }
}

export function shownKey(key: Key): string {
  if (typeof key === 'string') return JSON.stringify(key);
  return Array.isArray(key) ? `[${key.map(shownKey).join(', ')}]` : String(key);
}
