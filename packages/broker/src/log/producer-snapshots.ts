import { join } from 'node:path';
import type { GroupCommit } from './group-commit.ts';
import { ProducerStates } from './producer-state.ts';
import type { SegmentPlace } from './segment.ts';
import { isSystemError, type StorageFile } from './storage.ts';

/**
 * A partition's files `<offset>.snapshot`: what its producers had done before that offset, so that recovery need not walk
 * all that they wrote. One is written when a segment begins and when the log is closed, and counts when the mark
 * `indexed` has reached its offset, which is after it was synced. The newest two are kept, the second for when the first
 * is damaged. They outlive segments: what a producer did is remembered although retention took what it wrote.
 */
const KEPT = 2;

export class ProducerSnapshots {
  private readonly place: SegmentPlace;
  /** Oldest first. */
  private offsets: number[];
  private unsynced: number[] = [];

  constructor(place: SegmentPlace) {
    this.place = place;
    this.offsets = place.storage.list(place.directory).flatMap((name) => offsetOf(name) ?? []);
    this.offsets.sort((a, b) => a - b);
  }

  /** The newest whole one up to the offset `known`. */
  latest(
    known: number,
    now: number,
    expirationMs: number,
  ): { readonly offset: number; readonly producers: ProducerStates } | undefined {
    for (const offset of this.offsets.toReversed()) {
      const producers =
        offset <= known ? ProducerStates.restore(this.read(offset), offset, now, expirationMs) : undefined;
      if (producers !== undefined) return { offset, producers };
    }
    return undefined;
  }

  has(offset: number): boolean {
    return this.offsets.includes(offset);
  }

  /** It is durable after the directory was synced, and then `sync` was called. */
  write(offset: number, snapshot: Buffer): void {
    const file = this.place.storage.open(this.pathOf(offset), true);
    try {
      file.write(snapshot, 0);
      file.truncate(snapshot.length);
    } finally {
      file.close();
    }
    this.offsets = [...this.offsets.filter((other) => other !== offset), offset];
    this.unsynced.push(offset);
  }

  /** Makes the newest one up to the offset `known` durable. */
  async sync(commit: GroupCommit, known: number): Promise<void> {
    const newest = this.unsynced.findLast((offset) => offset <= known);
    if (newest === undefined) return;
    const path = this.pathOf(newest);
    const file = this.place.storage.open(path, false);
    try {
      await commit.sync(file, path);
    } finally {
      file.close();
    }
    this.unsynced = this.unsynced.filter((offset) => offset > known);
  }

  /** Lets the old ones go. No mark that a crash may bring back says less than `known`. */
  prune(known: number): void {
    if (this.offsets.length <= KEPT) return;
    const counted = this.offsets.filter((offset) => offset <= known);
    try {
      for (const old of counted.slice(0, -KEPT)) this.remove(old);
    } catch (error) {
      // It does no harm, and goes the next time.
      if (!isSystemError(error)) throw error;
    }
  }

  /** After a crash nobody knows of which batches those behind the last one that counts tell. */
  removeBehind(offset: number): void {
    for (const other of [...this.offsets]) if (other > offset) this.remove(other);
  }

  private remove(offset: number): void {
    this.place.storage.remove(this.pathOf(offset));
    this.offsets = this.offsets.filter((other) => other !== offset);
  }

  private read(offset: number): Buffer {
    let file: StorageFile;
    try {
      file = this.place.storage.open(this.pathOf(offset), false);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return Buffer.alloc(0);
      throw error;
    }
    try {
      const bytes = Buffer.alloc(file.size());
      return bytes.subarray(0, file.read(bytes, 0));
    } finally {
      file.close();
    }
  }

  private pathOf(offset: number): string {
    return join(this.place.directory, `${String(offset).padStart(20, '0')}.snapshot`);
  }
}

function offsetOf(name: string): number | undefined {
  return /^\d{20}\.snapshot$/.test(name) ? Number(name.slice(0, 20)) : undefined;
}
