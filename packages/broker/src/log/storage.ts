import { LogError } from '../errors.ts';

/**
 * The seam to the disk (law 11), as small as the log needs. What an implementation must keep:
 *
 * - `write`, `truncate`, `rename`, `remove`, `createNew` and `makeDirectory` act at once for every later call in this
 *   process, and promise nothing about a power cut.
 * - `sync` settles when every byte and the length that the file had when it was called survive a power cut. It says
 *   nothing about the file's name: that belongs to `syncDirectory`, which does the same for the entries of one directory.
 * - A `sync` that failed may have dropped what it was to keep; a later one that succeeds does not bring it back.
 * - `write` writes everything or throws; when it throws, any part of it may have been written.
 * - Errors are Node's, with `code` (ENOENT, ENOSPC, EROFS, …).
 */
export interface StorageFile {
  size(): number;
  /** Fills `target` from `position`; gives the number of bytes read, less than asked only at the end of the file. */
  read(target: Uint8Array, position: number): number;
  write(bytes: Uint8Array, position: number): void;
  truncate(length: number): void;
  sync(): Promise<void>;
  close(): void;
}

export interface Storage {
  /** Opens for reading and writing; `create` makes the file if it is missing. */
  open(path: string, create: boolean): StorageFile;
  /** Makes an empty file, and says whether it did: of several who try at once, in any process, one is told true. */
  createNew(path: string): boolean;
  /** The names in a directory, in no order; ENOENT if there is none. */
  list(directory: string): readonly string[];
  /** Makes one directory, whose parent exists; nothing happens if it is there. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Removes a file, or an empty directory. */
  remove(path: string): void;
  syncDirectory(path: string): Promise<void>;
  /**
   * Takes sole ownership of a directory until `release`, or until the process is dead, however it died. Throws a
   * LogError DATA_DIRECTORY_LOCKED that names the directory, and the owner if it is known, when another has it.
   */
  lock(directory: string): { release(): void };
}

/** The disk's own error, with one of these codes if any are given. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is Error & { code: string } {
  if (!(error instanceof Error && 'code' in error) || error instanceof LogError) return false;
  return typeof error.code === 'string' && (codes.length === 0 || codes.includes(error.code));
}

/** The process, or the machine, may open no more files: what was asked for was not begun. */
export function isOutOfFiles(error: unknown): boolean {
  return isSystemError(error, 'EMFILE', 'ENFILE');
}

/** What the disk refused, as the log tells it; any other error as it is. */
export function storageError(what: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new LogError('KAFKA_STORAGE_ERROR', `${what}: ${error.message}`, { cause: error });
}
