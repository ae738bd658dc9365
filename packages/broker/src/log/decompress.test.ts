import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compressLike, decompress } from './decompress.ts';
import { seededRandom } from './faulty-storage.ts';

const codecs = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
const xerial = Buffer.from('82534e41505059000000000100000001', 'hex');
const bare = Buffer.alloc(0);

/** Bytes in which something repeats, near and far. */
const bytes = fc
  .array(
    fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(300))),
    {
      maxLength: 20,
    },
  )
  .map((parts) =>
    Buffer.concat(parts.map((part) => (Array.isArray(part) ? Buffer.alloc(part[1] * part[0].length, part[0]) : part))),
  );

test('what is compressed comes back, with every codec and both frames of Snappy', () => {
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom(...Object.values(codecs)),
      fc.constantFrom(bare, xerial),
      (input, codec, like) => {
        assert.deepEqual(decompress(codec, compressLike(codec, input, like), 0), input);
      },
    ),
    { numRuns: 400 },
  );
  const random = seededRandom(1);
  const noise = Buffer.from(Array.from({ length: 300_000 }, () => Math.floor(random() * 256)));
  const words = Buffer.from(Array.from({ length: 60_000 }, () => `"key${Math.floor(random() * 500)}":`).join(''));
  for (const input of [noise, words, Buffer.alloc(500_000), Buffer.alloc(65_536, 'ab'), Buffer.alloc(65_537, 'x')]) {
    for (const [name, codec] of Object.entries(codecs)) {
      for (const like of [bare, xerial]) {
        const packed = compressLike(codec, input, like);
        assert.ok(decompress(codec, packed, 0).equals(input), name);
        assert.ok(packed.length < input.length + 2000, `${name}: ${packed.length} of ${input.length}`);
        if (input !== noise)
          assert.ok(packed.length < input.length / 2, `${name}: ${packed.length} of ${input.length}`);
      }
    }
  }
});

test('what other libraries wrote is read', () => {
  const text = 'test data for compression '.repeat(20);
  const repeated = 'fe1a00'.repeat(7);
  const snappy = `88046474657374206461746120666f7220636f6d7072657373696f6e20${repeated}b61a00`;
  assert.equal(decompress(codecs.snappy, Buffer.from(snappy, 'hex'), 0).toString(), text);
  const lz4 =
    '04224d1860408227000000ff0b74657374206461746120666f7220636f6d7072657373696f6e201a00ffd6607373696f6e2000000000';
  assert.equal(decompress(codecs.lz4, Buffer.from(lz4, 'hex'), 0).toString(), text);
  // With a content size and a checksum of the whole, and a block that is stored as it is.
  const stored = '04224d186c4003000000000000005903000080616263000000001234abcd';
  assert.equal(decompress(codecs.lz4, Buffer.from(stored, 'hex'), 0).toString(), 'abc');
});

test('a batch that would become too large is refused before it takes the memory', () => {
  for (const [name, codec] of Object.entries(codecs)) {
    const bomb = compressLike(codec, Buffer.alloc(5_000_000), bare);
    assert.throws(
      () => decompress(codec, bomb, 7, 1_000_000),
      { code: 'CORRUPT_MESSAGE', message: /at offset 7 / },
      name,
    );
    assert.equal(decompress(codec, bomb, 7, 5_000_000).length, 5_000_000, name);
  }
  const claims = Buffer.from('ffffff3f00', 'hex');
  assert.throws(() => decompress(codecs.snappy, claims, 0), /its Snappy claims 134217727 bytes/);
});

test('damaged input is an error, whatever was damaged', () => {
  const random = seededRandom(2);
  const input = Buffer.from('some text, some more text, and text again: some text '.repeat(30));
  for (const codec of Object.values(codecs)) {
    for (const like of [bare, xerial]) {
      const packed = compressLike(codec, input, like);
      for (let n = 0; n < 300; n++) {
        const damaged = Buffer.from(packed.subarray(0, 1 + Math.floor(random() * packed.length)));
        damaged[Math.floor(random() * damaged.length)]! ^= 1 + Math.floor(random() * 255);
        try {
          decompress(codec, damaged, 0);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'CORRUPT_MESSAGE', String(error));
        }
      }
    }
  }
  assert.throws(() => decompress(5, bare, 0), { code: 'UNSUPPORTED_COMPRESSION_TYPE' });
});
