/**
 * The seam between values and bytes. `decode(encode(value))` equals `value`; what a codec cannot carry, `encode` refuses
 * (MR_ENCODE, with the path to it) instead of losing it. `decode` refuses bytes that it did not write (MR_DECODE): the
 * error says what arrived. Neither keeps its argument nor changes it.
 */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}
