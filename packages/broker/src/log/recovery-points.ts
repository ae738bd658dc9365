import { crc32c } from '@node-rs/crc32';
import { LogError } from '../errors.ts';
import type { Flushable, GroupCommit } from './group-commit.ts';
import { readInt64, writeInt64 } from './int64.ts';
import { isSystemError, type Storage, type StorageFile } from './storage.ts';

/**
 * The synced-up-to marks of law 12: one file for the whole data directory, one cell per partition. A mark is a lower
 * bound. Everything in [start, synced) was durable when it was written, so it must be readable for ever; the index
 * files are right below `indexed`; what lies before `start` is deleted, whether or not its files are gone already. Below
 * `compacted` offsets may be missing, because compaction took their records; `clean` says that it finished there, and
 * `rewriting` that it did not: then index files of what lies below may be those of the segments that it replaced.
 *
 * A cell has two slots, written in turn, each with its own checksum, and the next is written only after the last was
 * synced: so a power cut can spoil one of them and never both.
 *
 *     0 topic id (16)   16 partition int32   20 turn uint32   24 start int64   32 synced int64   40 indexed int64
 *    48 compacted int64   56 flags int8   57 zero   60 crc32c of what is before
 */
const SLOT = 64;
const CELL = 2 * SLOT;
const CLEAN = 1;
const REWRITING = 2;

export interface Mark {
  readonly start: number;
  readonly synced: number;
  readonly indexed: number;
  readonly compacted: number;
  readonly clean: boolean;
  readonly rewriting: boolean;
}

const noMark: Mark = { start: 0, synced: 0, indexed: 0, compacted: 0, clean: false, rewriting: false };

/** A partition's place in the file. `owner` guards against reading the mark of a topic that had the cell before. */
export interface Cell {
  readonly number: number;
  readonly owner: { readonly id: string; readonly partition: number };
}

interface Pending {
  readonly cell: Cell;
  mark: Mark;
}

export class RecoveryPoints implements Flushable {
  private readonly path: string;
  private readonly file: StorageFile;
  private readonly commit: GroupCommit;
  private readonly turns = new Map<number, number>();
  private readonly pending = new Map<number, Pending>();

  constructor(storage: Storage, path: string, commit: GroupCommit) {
    this.path = path;
    this.file = storage.open(path, true);
    this.commit = commit;
  }

  /** The latest whole slot of a cell; nothing when there is none of this owner. */
  read(cell: Cell): Mark | undefined {
    const bytes = Buffer.alloc(CELL);
    this.file.read(bytes, cell.number * CELL);
    let latest: Mark | undefined;
    let latestTurn = -1;
    for (let at = 0; at < CELL; at += SLOT) {
      if (crc32c(bytes.subarray(at, at + 60)) !== bytes.readUInt32BE(at + 60)) continue;
      if (bytes.toString('hex', at, at + 16) !== hexOf(cell.owner.id)) continue;
      if (bytes.readInt32BE(at + 16) !== cell.owner.partition) continue;
      const turn = bytes.readUInt32BE(at + 20);
      if (turn <= latestTurn) continue;
      latestTurn = turn;
      latest = {
        start: readInt64(bytes, at + 24),
        synced: readInt64(bytes, at + 32),
        indexed: readInt64(bytes, at + 40),
        compacted: readInt64(bytes, at + 48),
        clean: (bytes[at + 56]! & CLEAN) !== 0,
        rewriting: (bytes[at + 56]! & REWRITING) !== 0,
      };
    }
    if (latest !== undefined) this.turns.set(cell.number, latestTurn);
    return latest;
  }

  /**
   * A start before this one may have ended, or failed to sync, before all that it wrote was durable. It is written again,
   * because after a failed sync the system may call bytes clean that the disk has not got. A disk that is full leaves the
   * file as it is.
   */
  async writeAgain(): Promise<void> {
    const bytes = Buffer.alloc(this.file.size());
    this.file.read(bytes, 0);
    try {
      this.file.write(bytes, 0);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    await this.commit.sync(this.file, this.path);
  }

  /** The mark to write at the next flush; of two for one cell the later counts. */
  put(cell: Cell, mark: Mark): void {
    this.pending.set(cell.number, { cell, mark });
  }

  /** The cell's last mark is not durable yet. */
  waits(cell: Cell): boolean {
    return this.pending.has(cell.number);
  }

  /** Forgets what waits for a cell whose partition is deleted. */
  drop(cell: Cell): void {
    this.pending.delete(cell.number);
    this.turns.delete(cell.number);
  }

  /** Keeps a fresh cell's first mark, in both slots, so that later marks never need space that the disk may not have. */
  async allot(cells: readonly Cell[]): Promise<void> {
    for (const cell of cells) {
      const both = Buffer.concat([slotOf(cell, 0, noMark), slotOf(cell, 1, noMark)]);
      this.file.write(both, cell.number * CELL);
      this.turns.set(cell.number, 1);
    }
    await this.commit.sync(this.file, this.path);
  }

  /** Only to be called in the line of the group commit, so that one flush ends before the next begins. */
  async flush(): Promise<void> {
    if (this.pending.size === 0) return;
    const written: Pending[] = [];
    for (const one of [...this.pending.values()]) {
      if (!this.writeSlot(one)) continue;
      this.pending.delete(one.cell.number);
      written.push(one);
    }
    if (written.length === 0) return;
    await this.commit.sync(this.file, this.path);
    for (const { cell } of written) this.turns.set(cell.number, this.turnOf(cell) + 1);
  }

  close(): void {
    this.file.close();
  }

  private turnOf(cell: Cell): number {
    const turn = this.turns.get(cell.number);
    if (turn === undefined) {
      throw new LogError('KAFKA_STORAGE_ERROR', `${this.path} has no cell ${cell.number}`, { retriable: false });
    }
    return turn;
  }

  /**
   * False when the disk refuses: the mark stays where it was, which is still a true lower bound, and the same slot is
   * written again with a later one.
   */
  private writeSlot({ cell, mark }: Pending): boolean {
    const turn = this.turnOf(cell) + 1;
    try {
      this.file.write(slotOf(cell, turn, mark), cell.number * CELL + (turn % 2) * SLOT);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return false;
    }
  }
}

function slotOf(cell: Cell, turn: number, mark: Mark): Buffer {
  const slot = Buffer.alloc(SLOT);
  slot.write(hexOf(cell.owner.id), 0, 'hex');
  slot.writeInt32BE(cell.owner.partition, 16);
  slot.writeUInt32BE(turn, 20);
  writeInt64(slot, mark.start, 24);
  writeInt64(slot, mark.synced, 32);
  writeInt64(slot, mark.indexed, 40);
  writeInt64(slot, mark.compacted, 48);
  slot[56] = (mark.clean ? CLEAN : 0) | (mark.rewriting ? REWRITING : 0);
  slot.writeUInt32BE(crc32c(slot.subarray(0, 60)), 60);
  return slot;
}

function hexOf(id: string): string {
  return id.replaceAll('-', '');
}
