/**
 * What the blocks of a checkpoint hold. A block of keyed state is a list of keys: the key group (a byte), the key, the
 * length of its data plus one (0: the key is gone), the data. A block of outputs is a list of entries, each its length and
 * its bytes. No record goes over the end of a block.
 */
import type { SavedKey } from '../state/keyed-store.ts';
import { ByteReader, boundOf, writeKey, writeVarint } from './key-bytes.ts';

/** A block is cut when it has that many bytes. Only one with a single large record is much larger. */
const BLOCK = 64 * 1024;

/** Takes a block that is full. The bytes change afterwards. */
export type Flush = (bytes: Uint8Array, first: number, last: number) => void;

/** Gathers records into blocks, in one buffer that grows and is used again. */
class Blocks {
  protected buffer = Buffer.alloc(0);
  protected length = 0;
  readonly #flush: Flush;
  /** Key groups. */
  protected first = 0;
  protected last = 0;

  constructor(flush: Flush) {
    this.#flush = flush;
  }

  flush(): void {
    if (this.length > 0) this.#flush(this.buffer.subarray(0, this.length), this.first, this.last);
    this.length = 0;
  }

  /** Sees that `bytes` more have room. */
  protected room(bytes: number): void {
    if (this.length > 0 && this.length + bytes > BLOCK) this.flush();
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(BLOCK, Math.max(1024, 4 * this.buffer.length))));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

export class KeyBlocks extends Blocks {
  keys = 0;

  /** Key groups never descend. */
  add({ group, key, data }: SavedKey): void {
    if (group < this.last) throw new Error(`a key of key group ${group} was saved after one of ${this.last}`);
    this.room(6 + boundOf(key) + (data?.length ?? 0));
    const { buffer } = this;
    if (this.length === 0) this.first = group;
    this.last = group;
    buffer[this.length] = group;
    let to = writeKey(buffer, this.length + 1, key);
    to = writeVarint(buffer, to, data === undefined ? 0 : data.length + 1);
    if (data !== undefined) {
      buffer.set(data, to);
      to += data.length;
    }
    this.length = to;
    this.keys++;
  }
}

export class EntryBlocks extends Blocks {
  entries = 0;

  add(entry: Uint8Array): void {
    this.room(5 + entry.length);
    const at = writeVarint(this.buffer, this.length, entry.length);
    this.buffer.set(entry, at);
    this.length = at + entry.length;
    this.entries++;
  }
}

/** Those of the key groups from `from` up to but without `to`. What is given refers to the block. */
export function* keysIn(block: Buffer, from: number, to: number): Generator<SavedKey> {
  const reader = new ByteReader(block, 0);
  while (reader.at < block.length) {
    const group = reader.byte();
    if (group >= to) return;
    if (group < from) {
      reader.skipKey();
      reader.skip(Math.max(0, reader.varint() - 1));
      continue;
    }
    const key = reader.key();
    const length = reader.varint();
    const at = reader.at;
    reader.skip(Math.max(0, length - 1));
    yield { group, key, data: length === 0 ? undefined : block.subarray(at, reader.at) };
  }
}

export function entriesIn(block: Buffer): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const reader = new ByteReader(block, 0);
  while (reader.at < block.length) {
    const length = reader.varint();
    entries.push(block.subarray(reader.at, reader.at + length));
    reader.skip(length);
  }
  return entries;
}
