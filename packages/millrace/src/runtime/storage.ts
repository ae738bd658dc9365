/**
 * The seam to a disk that must be told what to keep. The broker declares one of the same shape for its log
 * (`Storage` of @millrace/broker), so one implementation serves both. What it must keep:
 *
 * - `write`, `truncate`, `rename`, `remove`, `createNew` and `makeDirectory` act at once for every later call, and promise
 *   nothing about a power cut.
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
  /** Within one directory. What had that name is replaced. */
  rename(from: string, to: string): void;
  /** Removes a file, or an empty directory. */
  remove(path: string): void;
  syncDirectory(path: string): Promise<void>;
}
