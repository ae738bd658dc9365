import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { LogError } from '../errors.ts';
import type { LogRecord, RecordHeader } from './api.ts';
import { BatchBuilder, MAX_TIMESTAMP, recordBytesAtMost } from './batch-builder.ts';
import { writeInt64 } from './int64.ts';
import { decodeRecords, endOffsetOf, faultOf, HEADER_BYTES, headerOf, setChecksum } from './record-batch.ts';

interface Given {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
const record: fc.Arbitrary<Given> = fc.record(
  {
    timestamp: fc.oneof(fc.integer({ min: 0, max: MAX_TIMESTAMP }), fc.constant(0), fc.constant(MAX_TIMESTAMP)),
    key: bytes,
    value: bytes,
    headers: fc.array(
      fc.record({ key: fc.string({ unit: 'binary', maxLength: 20 }), value: bytes }, { noNullPrototype: true }),
      { maxLength: 3 },
    ),
  },
  { noNullPrototype: true },
);
const records = fc.array(record, { minLength: 1, maxLength: 20 });

function build(given: readonly Given[], builder = new BatchBuilder()): Buffer {
  for (const { timestamp, key, value, headers } of given) builder.add(timestamp, key, value, headers);
  return Buffer.from(builder.finish());
}

function decode(batch: Buffer, offset = 0): LogRecord[] {
  const found: LogRecord[] = [];
  decodeRecords(batch, 0, offset, found);
  return found;
}

test('what goes into a batch comes out, at the offsets that the log sets', () => {
  fc.assert(
    fc.property(records, fc.integer({ min: 0, max: 2 ** 52 }), (given, base) => {
      const batch = build(given);
      writeInt64(batch, base, 0);
      assert.equal(faultOf(batch, 0, batch.length), undefined);
      assert.equal(endOffsetOf(batch, 0), base + given.length);
      assert.equal(headerOf(batch, 0).maxTimestamp, Math.max(...given.map(({ timestamp }) => timestamp)));
      assert.deepEqual(
        decode(batch),
        given.map((one, n) => ({ offset: base + n, ...one })),
      );
    }),
  );
});

test('a builder that is used again starts from nothing, and never underestimates a record', () => {
  fc.assert(
    fc.property(records, records, (first, second) => {
      const builder = new BatchBuilder();
      build(first, builder);
      assert.deepEqual(build(second, builder), build(second));
      for (const { key, value, headers, timestamp } of second) {
        const before = builder.size;
        builder.add(timestamp, key, value, headers);
        assert.ok(builder.size - before <= recordBytesAtMost(key, value, headers));
      }
    }),
  );
});

test('only records from the offset on are given', () => {
  const given = [1, 2, 3].map((timestamp) => ({ timestamp, key: null, value: null, headers: [] }));
  const batch = build(given);
  writeInt64(batch, 10, 0);
  assert.deepEqual(
    decode(batch, 11).map(({ offset }) => offset),
    [11, 12],
  );
});

test('every header field stands where Kafka has it', () => {
  const builder = new BatchBuilder();
  builder.add(1000, Buffer.from('k'), Buffer.from('v'), [{ key: 'h', value: null }]);
  builder.add(400, null, null, []);
  const batch = builder.finish({ producerId: 2 ** 40 + 7, producerEpoch: 3, baseSequence: 9, attributes: 0x10 });
  assert.equal(batch.readBigInt64BE(0), 0n);
  assert.equal(batch.readInt32BE(8), batch.length - 12);
  assert.equal(batch.readInt32BE(12), 0);
  assert.equal(batch.readInt8(16), 2);
  assert.equal(batch.readUInt32BE(17), crc32c(batch.subarray(21)));
  assert.equal(batch.readInt16BE(21), 0x10);
  assert.equal(batch.readInt32BE(23), 1);
  assert.equal(batch.readBigInt64BE(27), 1000n);
  assert.equal(batch.readBigInt64BE(35), 1000n);
  assert.equal(batch.readBigInt64BE(43), 2n ** 40n + 7n);
  assert.equal(batch.readInt16BE(51), 3);
  assert.equal(batch.readInt32BE(53), 9);
  assert.equal(batch.readInt32BE(57), 2);
  // length 11; attributes, deltas 0, key 1 'k', value 1 'v', one header 1 'h' -1; length 7; delta -600, 1, null, null, 0.
  const expected = [22, 0, 0, 0, 2, 0x6b, 2, 0x76, 2, 2, 0x68, 1, 14, 0, 0xaf, 0x09, 2, 1, 1, 0];
  assert.deepEqual([...batch.subarray(HEADER_BYTES)], expected);
  assert.deepEqual(headerOf(batch, 0), {
    baseOffset: 0,
    size: batch.length,
    leaderEpoch: 0,
    crc: batch.readUInt32BE(17),
    attributes: 0x10,
    lastOffsetDelta: 1,
    baseTimestamp: 1000,
    maxTimestamp: 1000,
    producerId: 2 ** 40 + 7,
    producerEpoch: 3,
    baseSequence: 9,
    count: 2,
  });
});

test('the checksum is CRC32C, and not the CRC32 that zlib has', () => {
  assert.equal(crc32c('123456789'), 0xe3069283);
});

test('any flipped bit that the checksum covers is seen', () => {
  const batch = build([{ timestamp: 5, key: Buffer.from('key'), value: Buffer.from('value'), headers: [] }]);
  for (let at = 16; at < batch.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = Buffer.from(batch);
      damaged[at]! ^= 1 << bit;
      assert.notEqual(faultOf(damaged, 0, damaged.length), undefined, `byte ${at} bit ${bit}`);
    }
  }
});

test('a batch that is cut anywhere is seen', () => {
  const batch = build([{ timestamp: 5, key: null, value: Buffer.from('value'), headers: [] }]);
  for (let end = 0; end < batch.length; end++) assert.notEqual(faultOf(batch, 0, end), undefined);
});

test('garbage under a right checksum gives an error that names the offset, never more than is there', () => {
  fc.assert(
    fc.property(records, fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.nat(), (given, garbage, where) => {
      const batch = build(given);
      const at = 23 + (where % (batch.length - 23));
      garbage.forEach((byte, n) => {
        if (at + n < batch.length) batch[at + n] = byte;
      });
      setChecksum(batch);
      if (faultOf(batch, 0, batch.length) !== undefined) return;
      try {
        assert.ok(decode(batch).length <= batch.length);
      } catch (error) {
        assert.ok(error instanceof LogError && error.code === 'CORRUPT_MESSAGE', String(error));
        assert.match(error.message, /the batch at offset 0 is malformed/);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a count that the bytes cannot hold is refused before anything is made for it', () => {
  const batch = build([{ timestamp: 5, key: null, value: null, headers: [] }]);
  batch.writeInt32BE(2 ** 31 - 2, 23);
  batch.writeInt32BE(2 ** 31 - 1, 57);
  setChecksum(batch);
  assert.throws(() => decode(batch), /2147483647 records cannot be in 7 bytes/);
});

test('a batch of an unknown codec is named, and control batches hold no records for readers', () => {
  const compressed = build([{ timestamp: 5, key: null, value: null, headers: [] }]);
  compressed.writeInt16BE(5, 21);
  setChecksum(compressed);
  assert.throws(() => decode(compressed), { code: 'UNSUPPORTED_COMPRESSION_TYPE' });
  const control = build([{ timestamp: 5, key: null, value: null, headers: [] }]);
  control.writeInt16BE(0x30, 21);
  setChecksum(control);
  assert.deepEqual(decode(control), []);
});
