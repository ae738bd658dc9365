import { join } from 'node:path';
import type { GroupCommit } from './group-commit.ts';
import type { Segment, SegmentPlace } from './segment.ts';
import { baseOfLog, removeSegmentFiles } from './segment.ts';
import type { StorageFile } from './storage.ts';

/**
 * One segment takes the place of one or several, as of a moment, whenever the power is cut:
 *
 *     <base>.log.cleaned        is written and synced; a crash before the next step leaves it, and it goes
 *     <base>-<end>.swap         the same, renamed: from here on it stands for every offset from base to before end
 *                               the segments that begin there go, files of every kind
 *     <base>.log                the same, renamed again
 *
 * with the directory synced between the steps. Index files follow; until they are durable the mark says `rewriting`, and
 * recovery makes them again from the log.
 */
const SWAP = /^(\d{20})-(\d{20})\.swap$/;
const CLEANED = '.cleaned';

export class SegmentReplacement {
  private readonly place: SegmentPlace;
  private readonly segment: Segment;
  readonly file: StorageFile;

  /** Begins to write what will be `segment`. */
  constructor(place: SegmentPlace, segment: Segment) {
    this.place = place;
    this.segment = segment;
    this.file = place.storage.open(segment.path + CLEANED, true);
    this.file.truncate(0);
    segment.startIn(this.file);
  }

  /** Gives up: nothing was replaced. */
  discard(): void {
    this.segment.release();
    this.place.storage.remove(this.segment.path + CLEANED);
  }

  async sync(commit: GroupCommit): Promise<void> {
    await commit.sync(this.file, this.segment.path + CLEANED);
  }

  /** From when this resolves `segment` stands for all offsets before `end`. Needs the group commit's line, and `sync`. */
  async announce(commit: GroupCommit, end: number): Promise<void> {
    const { storage, directory } = this.place;
    storage.rename(this.segment.path + CLEANED, join(directory, this.swapName(end)));
    await commit.syncDirectory(directory);
  }

  /** Takes the name, when the segments that are replaced are removed. */
  async finish(commit: GroupCommit, end: number): Promise<void> {
    const { storage, directory } = this.place;
    await commit.syncDirectory(directory);
    storage.rename(join(directory, this.swapName(end)), this.segment.path);
    await commit.syncDirectory(directory);
  }

  private swapName(end: number): string {
    return `${padded(this.segment.base)}-${padded(end)}.swap`;
  }
}

/** Finishes what a crash left of replacements that were announced, and removes what was not. */
export async function finishReplacements({ storage, directory }: SegmentPlace, commit: GroupCommit): Promise<void> {
  const names = storage.list(directory);
  for (const name of names) if (name.endsWith(CLEANED)) storage.remove(join(directory, name));
  for (const name of names) {
    const [, base, end] = SWAP.exec(name) ?? [];
    if (base === undefined || end === undefined) continue;
    const present = new Set(names);
    for (const other of names) {
      const start = baseOfLog(other) ?? baseOfIndex(other);
      if (start === undefined || start < Number(base) || start >= Number(end)) continue;
      removeSegmentFiles(storage, directory, start, present);
      for (const gone of names) if (gone.startsWith(padded(start)) && !SWAP.test(gone)) present.delete(gone);
    }
    await commit.syncDirectory(directory);
    storage.rename(join(directory, name), join(directory, `${base}.log`));
    await commit.syncDirectory(directory);
  }
}

/** An index whose log is gone already. */
function baseOfIndex(name: string): number | undefined {
  return /^\d{20}\.(index|timeindex|txnindex)$/.test(name) ? Number(name.slice(0, 20)) : undefined;
}

function padded(offset: number): string {
  return String(offset).padStart(20, '0');
}
