import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { LogErrorCode } from '../errors.ts';
import { LogError } from '../errors.ts';
import { batchOf, durable, NOW, opened, type Sent } from './client.fixture.ts';
import { compressLike } from './decompress.ts';
import type { Partition } from './partition.ts';
import { HEADER_BYTES, headerOf, setChecksum } from './record-batch.ts';

/** Batches whose checksum is right and whose records are not what they say: none may reach a reader, whatever the codec. */
const CODECS = [0, 1, 2, 3, 4];

/** The batch with these bytes for its records. */
function withBody(like: Buffer, records: Buffer, codec: number): Buffer {
  const body = codec === 0 ? records : compressLike(codec, records, records);
  const batch = Buffer.concat([like.subarray(0, HEADER_BYTES), body]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch[22]! |= codec;
  setChecksum(batch);
  return batch;
}

function packed(values: readonly string[], codec: number, sent?: Sent): Buffer {
  const batch = batchOf(values, sent);
  return withBody(batch, batch.subarray(HEADER_BYTES), codec);
}

function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch);
  change(copy);
  setChecksum(copy);
  return copy;
}

function refusal(partition: Partition, batch: Buffer): LogError {
  const { end } = partition;
  try {
    partition.appendFromClient(batch);
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    assert.equal(partition.end, end, 'nothing is written');
    return error;
  }
  return assert.fail('it was taken');
}

function refuses(partition: Partition, code: LogErrorCode, batch: Buffer, what: RegExp, records?: number[]): void {
  const error = refusal(partition, batch);
  assert.equal(error.code, code);
  assert.match(error.message, what);
  assert.deepEqual(error.records, records);
}

test('what was taken can be read, and what cannot be read was not taken', async () => {
  const { partition, log } = await opened({ 'message.timestamp.after.max.ms': Number.MAX_SAFE_INTEGER });
  const bytes = fc.uint8Array({ maxLength: 40 });
  const flips = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 });
  const property = fc.asyncProperty(
    fc.constantFrom(...CODECS),
    fc.array(fc.string(), { minLength: 1, maxLength: 5 }),
    flips,
    bytes,
    fc.constantFrom(0, 0, 0, 1, -1, 2 ** 31 - 2),
    async (codec, values, changes, tail, extra) => {
      const like = batchOf(values, { key: 'k' });
      const records = Buffer.concat([like.subarray(HEADER_BYTES), tail]);
      for (const [at, byte] of changes) if (at < records.length) records[at] = byte;
      const count = extra > 1 ? extra : Math.max(1, values.length + extra);
      const batch = changed(withBody(like, records, codec), (header) => {
        header.writeInt32BE(count, 57);
        header.writeInt32BE(count - 1, 23);
      });
      const from = partition.end;
      try {
        await durable(partition, partition.appendFromClient(batch));
      } catch (error) {
        assert.ok(error instanceof LogError, String(error));
        assert.equal(partition.end, from);
        return;
      }
      const { records: read, nextOffset } = partition.read(from, 1);
      assert.deepEqual(
        read.map(({ offset }) => offset),
        Array.from({ length: count }, (_, n) => from + n),
      );
      assert.equal(nextOffset, partition.end);
      const times = read.map(({ timestamp }) => timestamp);
      assert.equal(headerOf(partition.readBatches(from, 1).batches[0]!, 0).maxTimestamp, Math.max(-1, ...times));
    },
  );
  await fc.assert(property, { numRuns: 2000 });
  await log.close();
});

test('whatever the codec, records are as many as the header says and count from 0 on', async () => {
  const { partition } = await opened();
  for (const codec of CODECS) {
    const three = changed(packed(['a', 'b'], codec), (batch) => {
      batch.writeInt32BE(3, 57);
      batch.writeInt32BE(2, 23);
    });
    refuses(partition, 'INVALID_RECORD', three, /ends inside a number|cannot be in/);
    const one = changed(packed(['a', 'b'], codec), (batch) => {
      batch.writeInt32BE(1, 57);
      batch.writeInt32BE(0, 23);
    });
    refuses(partition, 'INVALID_RECORD', one, /bytes follow its last record/);
    const like = batchOf(['a', 'b']);
    const records = Buffer.from(like.subarray(HEADER_BYTES));
    // The second record's offset delta: two bytes of the first, then length, attributes and timestamp delta.
    const second = (records[0]! >> 1) + 1;
    records[second + 3] = 0;
    refuses(partition, 'INVALID_RECORD', withBody(like, records, codec), /record 1 has the offset delta 0/);
    partition.appendFromClient(packed(['a', 'b'], codec));
  }
});

test('a few bytes do not claim two thousand million offsets', async () => {
  const { partition } = await opened();
  const many = changed(batchOf(['a']), (batch) => {
    batch.writeInt32BE(2 ** 31 - 1, 57);
    batch.writeInt32BE(2 ** 31 - 2, 23);
  });
  refuses(partition, 'INVALID_RECORD', many, /2147483647 records cannot be in/);
});

test('bytes that are not of their codec, or become too many, are refused', async () => {
  const { partition } = await opened();
  for (const codec of CODECS.slice(1)) {
    const raw = changed(batchOf(['a']), (batch) => {
      batch[22]! |= codec;
    });
    refuses(partition, 'INVALID_RECORD', raw, /cannot be decompressed/);
  }
  const bomb = withBody(batchOf(['a']), Buffer.alloc(0), 0);
  const body = gzipSync(Buffer.alloc(130 * 1024 * 1024), { level: 1 });
  const batch = changed(Buffer.concat([bomb, body]), (bytes) => {
    bytes.writeInt32BE(bytes.length - 12, 8);
    bytes[22]! |= 1;
  });
  refuses(partition, 'INVALID_RECORD', batch, /at most 134217728 bytes/);
});

test('a compacted topic takes no record without a key, whatever the codec, and says which have none', async () => {
  const { partition } = await opened({ 'cleanup.policy': 'compact' });
  for (const codec of CODECS) {
    refuses(partition, 'INVALID_RECORD', packed(['a', 'b'], codec), /record 0 of the batch has no key/, [0, 1]);
    partition.appendFromClient(packed(['a'], codec, { key: 'k' }));
  }
});

test('timestamps are bounded record by record, and the header says the greatest', async () => {
  const { partition } = await opened({ 'message.timestamp.before.max.ms': 1000 });
  for (const codec of CODECS) {
    const late = packed(['a'], codec, { timestamp: NOW - 2000 });
    // A header that says it is fit hides nothing.
    const lying = changed(late, (batch) => batch.writeBigInt64BE(BigInt(NOW), 35));
    refuses(partition, 'INVALID_TIMESTAMP', lying, /record 0 of the batch has a timestamp/, [0]);
    const from = partition.end;
    const humble = changed(packed(['a'], codec, { timestamp: NOW + 5 }), (batch) => batch.writeBigInt64BE(7n, 35));
    await durable(partition, partition.appendFromClient(humble));
    assert.equal(partition.firstSince(NOW + 5, partition.end)?.offset, 0);
    assert.equal(headerOf(partition.readBatches(from, 1).batches[0]!, 0).maxTimestamp, NOW + 5);
  }
});

test('LogAppendTime is for the broker to say', async () => {
  for (const type of ['CreateTime', 'LogAppendTime'] as const) {
    const { partition } = await opened({ 'message.timestamp.type': type });
    const stamped = changed(batchOf(['a']), (batch) => {
      batch[22]! |= 0x08;
    });
    refuses(partition, 'INVALID_TIMESTAMP', stamped, /LogAppendTime/);
    for (const codec of CODECS) partition.appendFromClient(packed(['a'], codec));
  }
});
