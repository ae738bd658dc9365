/**
 * The files of a checkpoint folder, all of one form:
 *
 *     'MRCKPT01'   blocks, one after the other   manifest   its length u32 LE   its CRC32C u32 LE   'MRCKPTND'
 *
 * A file is written once, from the front to the end, under its name with `.part`; when all of it is durable it gets its
 * name. So every byte of a file that has its name is accounted for, by a checksum or by its place, and what does not agree
 * is damage.
 */
import { crc32c } from '@node-rs/crc32';
import { messageOf } from '../errors.ts';
import type { Storage, StorageFile } from '../runtime/storage.ts';
import type { SavedKey } from '../state/keyed-store.ts';
import type { Block, CheckpointManifest, Manifest, OutputEntry, PartEntry } from './manifest.ts';
import { blocksOf, manifestFrom, manifestText } from './manifest.ts';
import { entriesIn, keysIn } from './records.ts';

const HEAD = Buffer.from('MRCKPT01');
const TAIL = Buffer.from('MRCKPTND');
const TRAILER = 8 + TAIL.length;
export const UNFINISHED = '.part';
/** How much is checked before others have their turn. */
const SLICE = 2 * 1024 * 1024;

/** Something that was written is not there as it was written. */
export class Damage extends Error {
  override readonly name = 'Damage';
  readonly path: string;
  constructor(path: string, what: string) {
    super(what);
    this.path = path;
  }
}

/** Gives their turn to others. */
export type Pause = () => Promise<void>;

/** A file that is being written. What the disk refuses is told by `finish`, and nothing is written after it. */
export class CheckpointFileWriter {
  readonly path: string;
  /** Bytes since the last sync. */
  unsynced = 0;
  readonly #storage: Storage;
  #file: StorageFile | undefined;
  #failed: { readonly error: unknown } | undefined;
  #length = 0;

  constructor(storage: Storage, path: string) {
    this.#storage = storage;
    this.path = path;
  }

  get name(): string {
    return nameOf(this.path);
  }

  block(bytes: Uint8Array, first: number, last: number): Block {
    if (this.#length === 0) this.#write(HEAD);
    const at = this.#length;
    this.#write(bytes);
    return { at, bytes: bytes.length, sum: crc32c(bytes), first, last };
  }

  /** What was written up to now, so that there is less to wait for at the end. */
  async sync(): Promise<void> {
    if (this.#failed) return;
    this.unsynced = 0;
    try {
      await this.#file?.sync();
    } catch (error) {
      this.#failed ??= { error };
    }
  }

  /**
   * The file has its name, and is durable under it, when this resolves. `allowed` is asked in between: it throws if the
   * file may not get its name any more. When it rejects, nothing of it is left, as far as the disk lets go of it.
   */
  async finish(manifest: Manifest, allowed: () => void): Promise<CheckpointFile> {
    const { path } = this;
    let hasName = false;
    try {
      const text = Buffer.from(manifestText(manifest));
      const sum = this.#end(text);
      await this.sync();
      if (this.#failed) throw this.#failed.error;
      this.#close();
      allowed();
      this.#storage.rename(path + UNFINISHED, path);
      hasName = true;
      await this.#storage.syncDirectory(path.slice(0, path.lastIndexOf('/')));
      return new CheckpointFile(this.#storage, path, manifest, sum, this.#length);
    } catch (error) {
      this.discard();
      if (hasName) attempt(() => this.#storage.remove(path));
      throw error;
    }
  }

  /** It is not wanted any more. */
  discard(): void {
    this.#failed ??= { error: new Error(`${this.path} was given up`) };
    attempt(() => this.#close());
    attempt(() => this.#storage.remove(this.path + UNFINISHED));
  }

  #end(manifest: Buffer): number {
    const trailer = Buffer.alloc(TRAILER);
    const sum = crc32c(manifest);
    trailer.writeUInt32LE(manifest.length, 0);
    trailer.writeUInt32LE(sum, 4);
    trailer.set(TAIL, 8);
    if (this.#length === 0) this.#write(HEAD);
    this.#write(Buffer.concat([manifest, trailer]));
    return sum;
  }

  #write(bytes: Uint8Array): void {
    if (!this.#failed) {
      try {
        this.#file ??= this.#opened();
        this.#file.write(bytes, this.#length);
      } catch (error) {
        this.#failed = { error };
      }
    }
    this.#length += bytes.length;
    this.unsynced += bytes.length;
  }

  #opened(): StorageFile {
    const file = this.#storage.open(this.path + UNFINISHED, true);
    if (file.size() > 0) file.truncate(0);
    return file;
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.close();
  }
}

/** What is left of a file that is not wanted is removed by the next start. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {}
}

/** A file that has its name. Only its manifest is kept in memory. */
export class CheckpointFile {
  readonly path: string;
  readonly manifest: Manifest;
  /** The checksum of the manifest, which has those of all that is in the file. */
  readonly sum: number;
  readonly bytes: number;
  readonly #storage: Storage;
  readonly #verified = new Set<PartEntry | OutputEntry>();

  constructor(storage: Storage, path: string, manifest: Manifest, sum: number, bytes: number) {
    this.#storage = storage;
    this.path = path;
    this.manifest = manifest;
    this.sum = sum;
    this.bytes = bytes;
  }

  get name(): string {
    return nameOf(this.path);
  }

  get checkpoint(): CheckpointManifest {
    const { checkpoint } = this.manifest;
    if (checkpoint === undefined) throw new Damage(this.path, 'it holds merged state, and no checkpoint');
    return checkpoint;
  }

  /** Damage if it is not whole, as far as can be said without reading the blocks. */
  static open(storage: Storage, path: string): CheckpointFile {
    return withFile(storage, path, (file) => {
      const bytes = file.size();
      if (bytes < HEAD.length + TRAILER) throw new Damage(path, `it has ${bytes} bytes, and was longer`);
      const trailer = fill(Buffer.alloc(TRAILER), file, path, bytes - TRAILER);
      const length = trailer.readUInt32LE(0);
      const sum = trailer.readUInt32LE(4);
      const at = bytes - TRAILER - length;
      const isOurs = fill(Buffer.alloc(HEAD.length), file, path, 0).equals(HEAD) && trailer.subarray(8).equals(TAIL);
      if (!isOurs || at < HEAD.length) throw new Damage(path, 'its first or its last bytes are not what was written');
      const text = fill(Buffer.alloc(length), file, path, at);
      checkSum(path, text, sum, at);
      const manifest = manifestFrom(text.toString());
      if (manifest === undefined) throw new Damage(path, 'a newer version of Millrace wrote it, in another form');
      let end = HEAD.length;
      for (const block of blocksOf(manifest).sort((a, b) => a.at - b.at)) {
        if (block.at === end) end += block.bytes;
      }
      if (end !== at) throw new Damage(path, `it has ${at} bytes before its manifest, which tells of ${end}`);
      return new CheckpointFile(storage, path, manifest, sum, bytes);
    });
  }

  /** Reads a section, unless that was done before, and throws Damage if it is not as it was written. */
  async verify(section: PartEntry | OutputEntry, pause: Pause): Promise<void> {
    if (this.#verified.has(section)) return;
    const scratch = Buffer.allocUnsafeSlow(Math.max(0, ...section.blocks.map(({ bytes }) => bytes)));
    let sinceTurn = 0;
    for (let next = 0; next < section.blocks.length; ) {
      if (sinceTurn > 0) await pause();
      sinceTurn = 0;
      withFile(this.#storage, this.path, (file) => {
        for (; next < section.blocks.length && sinceTurn < SLICE; next++) {
          const block = section.blocks[next]!;
          blockAt(file, this.path, block, scratch.subarray(0, block.bytes));
          sinceTurn += block.bytes;
        }
      });
    }
    this.#verified.add(section);
  }

  forgetVerified(): void {
    this.#verified.clear();
  }

  /** Of the key groups from `from` up to but without `to`. */
  *keys(part: PartEntry, from: number, to: number): Generator<SavedKey> {
    const wanted = part.blocks.filter(({ first, last }) => first < to && last >= from);
    if (wanted.length === 0) return;
    const file = opened(this.#storage, this.path);
    try {
      for (const block of wanted) yield* keysIn(blockAt(file, this.path, block), from, to);
    } finally {
      file.close();
    }
  }

  entries(output: OutputEntry): Uint8Array[] {
    return withFile(this.#storage, this.path, (file) =>
      output.blocks.flatMap((block) => entriesIn(blockAt(file, this.path, block))),
    );
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function withFile<T>(storage: Storage, path: string, use: (file: StorageFile) => T): T {
  const file = opened(storage, path);
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function opened(storage: Storage, path: string): StorageFile {
  try {
    return storage.open(path, false);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new Damage(path, 'it is not there');
    throw error;
  }
}

/** By default in memory of its own: what is decoded may go on referring to it. */
function blockAt(
  file: StorageFile,
  path: string,
  { at, bytes, sum }: Block,
  target: Buffer = Buffer.allocUnsafeSlow(bytes),
): Buffer {
  fill(target, file, path, at);
  checkSum(path, target, sum, at);
  return target;
}

function fill(target: Buffer, file: StorageFile, path: string, at: number): Buffer {
  let read: number;
  try {
    read = file.read(target, at);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EIO')) throw error;
    throw new Damage(path, `the disk cannot read the bytes from ${at} on: ${messageOf(error)}`);
  }
  if (read < target.length) throw new Damage(path, `it ends at ${at + read}, and was longer`);
  return target;
}

function checkSum(path: string, bytes: Buffer, sum: number, at: number): void {
  if (crc32c(bytes) === sum) return;
  throw new Damage(path, `the bytes from ${at} to ${at + bytes.length} are not what was written`);
}
