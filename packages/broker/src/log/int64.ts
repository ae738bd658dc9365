/**
 * int64 on the wire as a double: exact below 2^53 in magnitude, which offsets, timestamps and producer ids keep. What is
 * too great for an int64, as the greatest is once it is a double, is written as the greatest.
 */

const HIGH = 2 ** 32;
const GREATEST_HIGH = 2 ** 31 - 1;

export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * HIGH + bytes.readUInt32BE(at + 4);
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / HIGH);
  if (high > GREATEST_HIGH) {
    bytes.writeInt32BE(GREATEST_HIGH, at);
    bytes.writeUInt32BE(HIGH - 1, at + 4);
    return;
  }
  bytes.writeInt32BE(high, at);
  bytes.writeUInt32BE(value - high * HIGH, at + 4);
}
