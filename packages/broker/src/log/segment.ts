import { join } from 'node:path';
import { type AbortedTransaction, AbortedTransactions } from './aborted-transactions.ts';
import type { GroupCommit } from './group-commit.ts';
import { readInt64 } from './int64.ts';
import type { OpenFiles, Releasable } from './open-files.ts';
import { endOffsetOf, HEADER_BYTES, maxTimestampOf } from './record-batch.ts';
import { INDEX_INTERVAL, SegmentIndex, TIME_ENTRY } from './segment-index.ts';
import { isSystemError, type Storage, type StorageFile } from './storage.ts';

/**
 * A run of record batches in one file, named by its first offset, with its two indexes, and a third for the
 * transactions that were aborted in it, if any were. The last segment of a partition takes appends and keeps its indexes
 * in memory; when it is closed, they go to their files and are loaded again when somebody looks something up.
 */
export interface SegmentPlace {
  readonly storage: Storage;
  /** Closed segments that have their file and indexes open. */
  readonly files: OpenFiles;
  /** Segments that take appends, and have their file open although nothing waits for it. */
  readonly resting: OpenFiles;
  readonly directory: string;
}

const suffixes = ['.log', '.index', '.timeindex', '.txnindex'] as const;
type IndexSuffix = Exclude<(typeof suffixes)[number], '.log'>;

function segmentName(base: number, suffix: (typeof suffixes)[number]): string {
  return `${String(base).padStart(20, '0')}${suffix}`;
}

/** The base offset that a file's name says, when it is a segment's log. */
export function baseOfLog(name: string): number | undefined {
  return /^\d{20}\.log$/.test(name) ? Number(name.slice(0, 20)) : undefined;
}

export function removeSegmentFiles(
  storage: Storage,
  directory: string,
  base: number,
  present: ReadonlySet<string>,
): void {
  for (const suffix of suffixes) {
    const name = segmentName(base, suffix);
    if (present.has(name)) storage.remove(join(directory, name));
  }
}

export class Segment implements Releasable {
  readonly base: number;
  private readonly place: SegmentPlace;
  private log: StorageFile | undefined;
  private loadedIndex: SegmentIndex | undefined;
  private loadedAborted: AbortedTransactions | undefined;
  /** Whether there is a file of them; not known before it was looked for. */
  private hasAbortedFile: boolean | undefined;
  /** Whole batches in the file, in bytes. */
  size = 0;
  /** How many of them may be read. */
  readable = 0;
  maxTimestamp = -1;
  /** Wall ms of the last append in this process, or else of the opening. */
  writtenAt = 0;
  private maxTimestampOffset = 0;
  private sinceIndexEntry = 0;
  private knownFirstTimestamp: number | undefined;
  /** Takes no more appends, and its index is in its files. */
  closed = false;
  /** The index files hold less than memory does. */
  private indexUnsaved = false;
  /** The file stays open: something of it waits to be synced, or it has not its name yet. */
  private held = false;
  private readonly restingFile: Releasable = { release: () => this.closeFile() };

  constructor(place: SegmentPlace, base: number) {
    this.place = place;
    this.base = base;
  }

  get path(): string {
    return this.pathOf('.log');
  }

  /** Makes the file; it is durable when the directory is synced. */
  create(): void {
    const file = this.place.storage.open(this.path, true);
    file.truncate(0);
    this.startIn(file);
  }

  /** Starts empty in a file that is to have this segment's name, and is kept open until `close`. */
  startIn(file: StorageFile): void {
    this.log = file;
    this.held = true;
    this.loadedIndex = new SegmentIndex();
    this.loadedAborted = new AbortedTransactions();
    this.hasAbortedFile = false;
    this.indexUnsaved = true;
  }

  get file(): StorageFile {
    this.log ??= this.place.storage.open(this.path, false);
    if (this.closed) this.place.files.touch(this);
    else if (!this.held) this.place.resting.touch(this.restingFile);
    return this.log;
  }

  /** Keeps the file open until `rest`. */
  hold(): void {
    this.held = true;
    this.place.resting.forget(this.restingFile);
  }

  /** Nothing waits for the file: it may be closed, and is opened when it is used again. */
  rest(): void {
    this.held = false;
    if (this.log !== undefined && !this.closed) this.place.resting.touch(this.restingFile);
  }

  /** Of its latest record, in wall ms; where no record has a timestamp, of its last append. */
  get youngest(): number {
    return this.maxTimestamp < 0 ? this.writtenAt : this.maxTimestamp;
  }

  /** The latest of its first batch, or of the last append where that has no timestamp; nothing when it is empty. */
  get firstTimestamp(): number | undefined {
    if (this.knownFirstTimestamp === undefined && this.size > 0) {
      const header = Buffer.alloc(HEADER_BYTES);
      this.file.read(header, 0);
      this.knownFirstTimestamp = maxTimestampOf(header, 0);
    }
    const known = this.knownFirstTimestamp;
    return known !== undefined && known < 0 ? this.writtenAt : known;
  }

  /** Takes a batch, whose offsets are set, at the end. After it threw, `cutTail` must come before the next append. */
  append(batch: Buffer): void {
    this.hold();
    this.file.write(batch, this.size);
    this.added(batch, 0, this.size, batch.length);
  }

  /** The same for several, in one write. */
  appendAll(batches: readonly Buffer[]): void {
    this.file.write(batches.length === 1 ? batches[0]! : Buffer.concat(batches), this.size);
    for (const batch of batches) this.added(batch, 0, this.size, batch.length);
  }

  /** Takes away what stands after the last whole batch. */
  cutTail(): boolean {
    if (this.file.size() <= this.size) return false;
    this.file.truncate(this.size);
    return true;
  }

  /** Counts a batch of `length` bytes that stands at `position` as the segment's last; its header is at `at`. */
  added(bytes: Buffer, at: number, position: number, length: number): void {
    const end = endOffsetOf(bytes, at);
    const timestamp = maxTimestampOf(bytes, at);
    if (timestamp > this.maxTimestamp) {
      this.maxTimestamp = timestamp;
      this.maxTimestampOffset = end - 1 - this.base;
    }
    this.sinceIndexEntry += length;
    this.size = position + length;
    this.indexUnsaved = true;
    if (this.sinceIndexEntry <= INDEX_INTERVAL) return;
    this.sinceIndexEntry = 0;
    const baseOffset = end - this.base - 1 - bytes.readInt32BE(at + 23);
    this.index.addOffset(baseOffset, position);
    this.index.addTime(this.maxTimestamp, this.maxTimestampOffset);
  }

  get index(): SegmentIndex {
    if (this.loadedIndex === undefined) {
      this.loadedIndex = new SegmentIndex();
      this.loadIndex(2 ** 31);
      if (this.closed) this.place.files.touch(this);
    }
    return this.loadedIndex;
  }

  /** The transactions that were aborted here: those whose markers are in this segment. */
  get aborted(): AbortedTransactions {
    if (this.loadedAborted === undefined) {
      this.loadAborted(Number.POSITIVE_INFINITY);
      if (this.closed) this.place.files.touch(this);
    }
    return this.loadedAborted!;
  }

  addAborted(transaction: AbortedTransaction): void {
    this.aborted.add(transaction);
    this.indexUnsaved = true;
  }

  /** Takes those whose markers stand before the offset `known` from the file; false when it is damaged. */
  loadAborted(known: number): boolean {
    const bytes = this.hasAbortedFile === false ? undefined : this.readTail('.txnindex');
    this.hasAbortedFile = bytes !== undefined;
    const found = AbortedTransactions.from(bytes ?? Buffer.alloc(0), this.base);
    this.loadedAborted = found ?? new AbortedTransactions();
    this.loadedAborted.cutFrom(known);
    if (found === undefined) this.indexUnsaved = true;
    return found !== undefined;
  }

  /** Takes the entries below a relative offset from the index files; false when they are missing or damaged. */
  loadIndex(known: number): boolean {
    const index = new SegmentIndex();
    this.loadedIndex = index;
    const offsets = this.readTail('.index');
    const times = this.readTail('.timeindex');
    if (offsets === undefined || times === undefined || !index.load(offsets, times, known)) {
      this.indexUnsaved = true;
      return false;
    }
    this.maxTimestamp = index.maxTimestamp;
    return true;
  }

  /** Takes from the index files only what every closed segment must know; false when they are missing or damaged. */
  loadSummary(): boolean {
    const offsets = this.readTail('.index', 0);
    const times = this.readTail('.timeindex', TIME_ENTRY);
    if (offsets === undefined || times === undefined) return false;
    if (times.length === TIME_ENTRY) this.maxTimestamp = readInt64(times, 0);
    return true;
  }

  /** Offers the file as it stands, without any index, to be read only. */
  openAsIs(): void {
    this.loadIndex(0);
    const known = this.loadedAborted;
    this.loadAborted(Number.POSITIVE_INFINITY);
    for (const transaction of known ?? []) this.aborted.add(transaction);
    this.size = this.file.size();
    this.readable = this.size;
  }

  /** Writes the index files when they hold less than memory; they are durable after `syncIndex`. */
  saveIndex(): boolean {
    if (!this.indexUnsaved) return false;
    if (this.maxTimestamp >= 0) this.index.addTime(this.maxTimestamp, this.maxTimestampOffset);
    const { offsets, times } = this.index.files();
    this.writeWhole('.index', offsets);
    this.writeWhole('.timeindex', times);
    if (this.hasAborted()) {
      this.writeWhole('.txnindex', this.aborted.file());
      this.hasAbortedFile = true;
    }
    this.indexUnsaved = false;
    return true;
  }

  async syncIndex(commit: GroupCommit): Promise<void> {
    for (const suffix of suffixes) {
      if (suffix === '.log' || (suffix === '.txnindex' && !this.hasAborted())) continue;
      const path = this.pathOf(suffix);
      const file = this.place.storage.open(path, false);
      try {
        await commit.sync(file, path);
      } finally {
        file.close();
      }
    }
  }

  /** From now on the file and the index are opened when they are used. Needs a saved and synced index. */
  close(): void {
    this.closed = true;
    this.place.resting.forget(this.restingFile);
    this.place.files.touch(this);
  }

  release(): void {
    this.closeFile();
    this.loadedIndex = undefined;
    this.loadedAborted = undefined;
    this.place.files.forget(this);
  }

  remove(): void {
    this.release();
    const { storage, directory } = this.place;
    removeSegmentFiles(storage, directory, this.base, new Set(storage.list(directory)));
  }

  private closeFile(): void {
    this.place.resting.forget(this.restingFile);
    this.log?.close();
    this.log = undefined;
  }

  /** An outdated file is a reason to write it, too. */
  private hasAborted(): boolean {
    return this.aborted.count > 0 || this.hasAbortedFile === true;
  }

  private pathOf(suffix: (typeof suffixes)[number]): string {
    return join(this.place.directory, segmentName(this.base, suffix));
  }

  /** The last `most` bytes of an index file, or all. */
  private readTail(suffix: IndexSuffix, most = Number.POSITIVE_INFINITY): Buffer | undefined {
    let file: StorageFile;
    try {
      file = this.place.storage.open(this.pathOf(suffix), false);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
    try {
      const size = file.size();
      const bytes = Buffer.alloc(Math.min(size, most));
      return bytes.subarray(0, file.read(bytes, size - bytes.length));
    } finally {
      file.close();
    }
  }

  private writeWhole(suffix: IndexSuffix, bytes: Buffer): void {
    const file = this.place.storage.open(this.pathOf(suffix), true);
    try {
      // In place: what is known to be synced is overwritten by the same bytes, so no power cut can spoil it.
      file.write(bytes, 0);
      file.truncate(bytes.length);
    } finally {
      file.close();
    }
  }
}
