/**
 * Finds what repeats in a block of at most 64 KiB, greedily, for the two codecs that Node does not bring: each four bytes
 * are looked up by a hash where they were seen last. Quick rather than thorough.
 */
const SLOTS_BITS = 13;
const slots = new Int32Array(1 << SLOTS_BITS);
const LEAST = 4;

export interface MatchLimits {
  /** No match begins at or behind it. */
  readonly startBefore: number;
  /** No match reaches behind it. */
  readonly endBefore: number;
}

/**
 * Tells `each` of literals [literal, literalEnd) followed by a match of `length` bytes from `offset` back, and gives where
 * the last literals begin.
 */
export function eachMatch(
  input: Buffer,
  from: number,
  to: number,
  limits: MatchLimits,
  each: (literal: number, literalEnd: number, offset: number, length: number) => void,
): number {
  const startBefore = Math.min(limits.startBefore, to - LEAST + 1);
  let literal = from;
  slots.fill(-1);
  for (let at = from; at < startBefore; ) {
    const word = input.readInt32LE(at);
    const slot = Math.imul(word, -1640531535) >>> (32 - SLOTS_BITS);
    const seen = slots[slot]!;
    slots[slot] = at;
    if (seen < 0 || at - seen > 0xffff || input.readInt32LE(seen) !== word) {
      at++;
      continue;
    }
    let length = LEAST;
    while (at + length < limits.endBefore && input[seen + length] === input[at + length]) length++;
    if (at + length > limits.endBefore) {
      at++;
      continue;
    }
    each(literal, at, at - seen, length);
    at += length;
    literal = at;
  }
  return literal;
}
