import { type BoundedOutput, DecompressionFault } from './bounded-output.ts';
import { eachMatch } from './repetitions.ts';

/**
 * Snappy, bare as librdkafka writes it, and in the frames of Java's snappy library ("xerial"): a header of 16 bytes, then
 * bare pieces, each behind its length.
 */
const XERIAL = Buffer.from('82534e4150505900', 'hex');
const XERIAL_HEADER = Buffer.concat([XERIAL, Buffer.from('0000000100000001', 'hex')]);
const BLOCK = 64 * 1024;
/** An element of two bytes cannot make more than this of each. */
const MOST_RATIO = 64;

export function isXerial(input: Buffer): boolean {
  return input.length >= XERIAL_HEADER.length && input.compare(XERIAL, 0, XERIAL.length, 0, XERIAL.length) === 0;
}

export function snappyDecompress(input: Buffer, output: BoundedOutput): void {
  if (!isXerial(input)) {
    piece(input, 0, input.length, output);
    return;
  }
  for (let at = XERIAL_HEADER.length; at < input.length; ) {
    const end = at + 4 > input.length ? -1 : at + 4 + input.readInt32BE(at);
    if (end < at + 4 || end > input.length) throw new DecompressionFault('a Snappy piece ends behind it');
    piece(input, at + 4, end, output);
    at = end;
  }
}

function piece(input: Buffer, start: number, end: number, output: BoundedOutput): void {
  let at = start;
  let claimed = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= end || scale > 2 ** 28) throw new DecompressionFault('it has no Snappy length');
    const byte = input[at++]!;
    claimed += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (claimed > (end - start) * MOST_RATIO) throw new DecompressionFault(`its Snappy claims ${claimed} bytes`);
  const expected = output.length + claimed;
  while (at < end) at = element(input, at, end, output);
  if (output.length !== expected) throw new DecompressionFault(`its Snappy is not as long as it claims`);
}

/** Gives the position after it. */
function element(input: Buffer, start: number, end: number, output: BoundedOutput): number {
  const tag = input[start]!;
  const kind = tag & 3;
  if (kind === 0) {
    const short = tag >>> 2;
    const wide = short < 60 ? 0 : short - 59;
    const at = start + 1 + wide;
    if (at > end) throw new DecompressionFault('its Snappy ends inside a length');
    const length = (wide === 0 ? short : input.readUIntLE(start + 1, wide)) + 1;
    if (at + length > end) throw new DecompressionFault('its Snappy ends inside its literals');
    output.literals(input, at, at + length);
    return at + length;
  }
  const wide = kind === 3 ? 4 : kind;
  if (start + 1 + wide > end) throw new DecompressionFault('its Snappy ends inside an offset');
  if (kind === 1) output.repeat(((tag >>> 5) << 8) | input[start + 1]!, ((tag >>> 2) & 7) + 4);
  else output.repeat(input.readUIntLE(start + 1, wide), (tag >>> 2) + 1);
  return start + 1 + wide;
}

export function snappyCompress(input: Buffer, xerial: boolean): Buffer {
  if (!xerial) return bare(input);
  const parts: Buffer[] = [XERIAL_HEADER];
  for (let from = 0; from < input.length; from += BLOCK) {
    const packed = bare(input.subarray(from, from + BLOCK));
    const size = Buffer.alloc(4);
    size.writeInt32BE(packed.length);
    parts.push(size, packed);
  }
  return Buffer.concat(parts);
}

function bare(input: Buffer): Buffer {
  const packed = Buffer.allocUnsafe(input.length + Math.ceil(input.length / 6) + 32);
  let at = 0;
  for (let left = input.length; ; left = Math.floor(left / 128)) {
    packed[at++] = left < 128 ? left : (left % 128) | 0x80;
    if (left < 128) break;
  }
  const literals = (from: number, to: number) => {
    const last = to - from - 1;
    if (last < 0) return;
    if (last < 60) packed[at++] = last << 2;
    else {
      packed[at++] = 61 << 2;
      packed.writeUInt16LE(last, at);
      at += 2;
    }
    packed.set(input.subarray(from, to), at);
    at += to - from;
  };
  for (let from = 0; from < input.length; from += BLOCK) {
    const to = Math.min(input.length, from + BLOCK);
    const rest = eachMatch(
      input,
      from,
      to,
      { startBefore: to, endBefore: to },
      (literal, literalEnd, offset, length) => {
        literals(literal, literalEnd);
        for (let left = length; left > 0; left -= 64) {
          packed[at++] = ((Math.min(left, 64) - 1) << 2) | 2;
          packed.writeUInt16LE(offset, at);
          at += 2;
        }
      },
    );
    literals(rest, to);
  }
  return packed.subarray(0, at);
}
