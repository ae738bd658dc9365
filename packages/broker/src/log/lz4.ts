import { type BoundedOutput, DecompressionFault } from './bounded-output.ts';
import { eachMatch } from './repetitions.ts';

/**
 * LZ4 frames (the LZ4 frame format, version 1), as Kafka's clients write them. Checksums in the frame are not verified:
 * the batch's own covers every byte. What is written has independent blocks of 64 KiB, which every client reads.
 */
const MAGIC = 0x184d2204;
/** Version 1, independent blocks; 64 KiB at most each; and the checksum of these two bytes. */
const FRAME_HEADER = Buffer.from('04224d18604082', 'hex');
const BLOCK = 64 * 1024;
const STORED = 0x8000_0000;
/** A block ends with this many literals at least, and no match begins within the last twelve bytes. */
const LAST_LITERALS = 5;
const MATCH_LIMIT = 12;

export function lz4Decompress(input: Buffer, output: BoundedOutput): void {
  let at = 0;
  while (at < input.length) {
    if (at + 7 > input.length || input.readUInt32LE(at) !== MAGIC) throw new DecompressionFault('it is no LZ4 frame');
    const flags = input[at + 4]!;
    if (flags >>> 6 !== 1 || (flags & 1) !== 0) throw new DecompressionFault('its LZ4 frame needs what is not known');
    at = blocks(input, at + 7 + ((flags & 8) !== 0 ? 8 : 0), (flags & 0x10) !== 0 ? 4 : 0, output);
    if ((flags & 4) !== 0) at += 4;
  }
}

/** Gives the position after the end mark. */
function blocks(input: Buffer, start: number, checksum: number, output: BoundedOutput): number {
  let at = start;
  for (;;) {
    if (at + 4 > input.length) throw new DecompressionFault('its LZ4 frame has no end');
    const word = input.readUInt32LE(at);
    at += 4;
    if (word === 0) return at;
    const end = at + (word & ~STORED);
    if (end > input.length) throw new DecompressionFault('an LZ4 block ends behind it');
    if (word >= STORED) output.literals(input, at, end);
    else block(input, at, end, output);
    at = end + checksum;
  }
}

function block(input: Buffer, start: number, end: number, output: BoundedOutput): void {
  let at = start;
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble < 15) return sum;
    for (;;) {
      if (at >= end) throw new DecompressionFault('an LZ4 block ends inside a length');
      const more = input[at++]!;
      sum += more;
      if (more < 255) return sum;
    }
  };
  while (at < end) {
    const token = input[at++]!;
    const literals = length(token >>> 4);
    if (at + literals > end) throw new DecompressionFault('an LZ4 block ends inside its literals');
    output.literals(input, at, at + literals);
    at += literals;
    if (at === end) return;
    if (at + 2 > end) throw new DecompressionFault('an LZ4 block ends inside an offset');
    const offset = input.readUInt16LE(at);
    at += 2;
    output.repeat(offset, length(token & 15) + 4);
  }
}

export function lz4Compress(input: Buffer): Buffer {
  const parts: Buffer[] = [FRAME_HEADER];
  for (let from = 0; from < input.length; from += BLOCK) {
    const to = Math.min(input.length, from + BLOCK);
    const packed = packBlock(input, from, to);
    const stored = packed.length >= to - from;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(stored ? (to - from + STORED) >>> 0 : packed.length);
    parts.push(size, stored ? input.subarray(from, to) : packed);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

function packBlock(input: Buffer, from: number, to: number): Buffer {
  const packed = Buffer.allocUnsafe(to - from + Math.ceil((to - from) / 255) + 16);
  let at = 0;
  const more = (length: number) => {
    let left = length - 15;
    for (; left >= 255; left -= 255) packed[at++] = 255;
    packed[at++] = left;
  };
  const sequence = (literal: number, literalEnd: number, offset: number, matched: number) => {
    const literals = literalEnd - literal;
    const extra = matched - 4;
    packed[at++] = (Math.min(literals, 15) << 4) | (matched === 0 ? 0 : Math.min(extra, 15));
    if (literals >= 15) more(literals);
    packed.set(input.subarray(literal, literalEnd), at);
    at += literals;
    if (matched === 0) return;
    packed.writeUInt16LE(offset, at);
    at += 2;
    if (extra >= 15) more(extra);
  };
  const rest = eachMatch(input, from, to, { startBefore: to - MATCH_LIMIT, endBefore: to - LAST_LITERALS }, sequence);
  sequence(rest, to, 0, 0);
  return packed.subarray(0, at);
}
