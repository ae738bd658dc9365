/**
 * Who may publish into a folder, and how far it has come. Each start that claims makes a file of its own, named by its
 * incarnation; the largest one rules. Into its file a claimant writes the epoch that it is about to make visible, before it
 * does. So a mark says "published, or whole under its hidden name".
 *
 * A mark is written in place, in turn into two blocks: at a power cut the other one is whole. A claimant's first mark is
 * what it found; from then on the marks of older claimants mean nothing, whatever a zombie adds to them.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Storage, StorageFile } from '../../runtime/storage.ts';
import { compareEpochs, type Epoch } from '../../topology/epoch.ts';
import { isMissing, removeIfThere } from './whole-file.ts';

export interface Mark {
  readonly epoch: Epoch;
  /** The claimant that wrote the epoch's file. */
  readonly by: number;
}

/** Large enough that no disk tears two of them with one write. */
const BLOCK = 4096;
const LONGEST = 100;

export class EpochClaims {
  readonly #storage: Storage;
  readonly #folder: string;
  #file: StorageFile | undefined;
  #turn = 0;

  constructor(storage: Storage, folder: string) {
    this.#storage = storage;
    this.#folder = folder;
  }

  /** The largest incarnation that has claimed; 0 if none has. */
  newest(): number {
    return Math.max(0, ...this.#incarnations());
  }

  /** False: this incarnation has claimed before. Durable when it resolves. */
  async add(incarnation: number): Promise<boolean> {
    const path = this.#path(incarnation);
    if (!this.#storage.createNew(path)) return false;
    await this.#storage.syncDirectory(this.#folder);
    this.close();
    this.#file = this.#storage.open(path, false);
    return true;
  }

  /** What the newest of the older claimants that have a mark says; undefined if nothing was published. */
  lastBefore(incarnation: number): Mark | undefined {
    const older = this.#incarnations().filter((other) => other < incarnation);
    for (const other of older.sort((a, b) => b - a)) {
      const found = this.#read(other);
      // One of those that had no mark has got one, and removed what is older.
      if (found === 'gone') return this.lastBefore(incarnation);
      if (found !== 'unmarked') return found === 'nothing' ? undefined : found;
    }
    return undefined;
  }

  /** Durable when it resolves. */
  async note(mark: Mark | undefined): Promise<void> {
    this.#file!.write(encoded(mark), this.#turn * BLOCK);
    await this.#file!.sync();
    this.#turn = 1 - this.#turn;
  }

  removeBefore(incarnation: number): void {
    for (const other of this.#incarnations()) if (other < incarnation) removeIfThere(this.#storage, this.#path(other));
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #incarnations(): number[] {
    return this.#storage.list(this.#folder).map(Number).filter(Number.isSafeInteger);
  }

  #read(incarnation: number): Mark | 'nothing' | 'unmarked' | 'gone' {
    let file: StorageFile;
    try {
      file = this.#storage.open(this.#path(incarnation), false);
    } catch (error) {
      if (isMissing(error)) return 'gone';
      throw error;
    }
    try {
      const [a, b] = [0, BLOCK].map((position) => {
        const bytes = Buffer.alloc(LONGEST);
        return decoded(bytes.subarray(0, file.read(bytes, position)));
      });
      if (a === undefined || a === 'nothing') return b ?? a ?? 'unmarked';
      if (b === undefined || b === 'nothing') return a;
      return compareEpochs(a.epoch, b.epoch) > 0 ? a : b;
    } finally {
      file.close();
    }
  }

  #path(incarnation: number): string {
    return join(this.#folder, String(incarnation));
  }
}

function encoded(mark: Mark | undefined): Buffer {
  const numbers = mark ? [mark.epoch.incarnation, mark.epoch.number, mark.by] : [0, 0, 0];
  const text = numbers.join(' ');
  return Buffer.from(`${text} ${crc32(text)}\n`);
}

function decoded(bytes: Buffer): Mark | 'nothing' | undefined {
  const [, text, sum] = /^(\d+ \d+ \d+) (\d+)\n/.exec(bytes.toString('latin1')) ?? [];
  if (text === undefined || crc32(text) !== Number(sum)) return undefined;
  const [incarnation, number, by] = text.split(' ').map(Number) as [number, number, number];
  return incarnation === 0 ? 'nothing' : { epoch: { incarnation, number }, by };
}
