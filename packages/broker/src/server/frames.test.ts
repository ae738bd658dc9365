import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../log/faulty-storage.ts';
import { Frames } from './frames.ts';

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

test('however the bytes are cut on their way, the frames are those that were sent', () => {
  const random = seededRandom(5);
  for (let round = 0; round < 200; round++) {
    const sent = Array.from({ length: 8 }, (_, n) => Buffer.alloc(Math.floor(random() * 40), n));
    const bytes = Buffer.concat(sent.map(framed));
    const frames = new Frames(100);
    const got: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 30));
      frames.push(bytes.subarray(at, end), (frame) => got.push(Buffer.from(frame)));
      at = end;
    }
    assert.deepEqual(got, sent);
    assert.equal(frames.held, 0);
  }
});

test('a length that is negative or beyond the limit is refused before a byte of it is kept', () => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(101);
  assert.throws(
    () => new Frames(100).push(length, () => {}),
    /claims 101 bytes; the most is socket.request.max.bytes, 100/,
  );
  length.writeInt32BE(-1);
  assert.throws(() => new Frames(100).push(length, () => {}), /claims -1 bytes/);
  const frames = new Frames(100);
  frames.push(Buffer.from([0, 0]), () => {});
  assert.throws(() => frames.push(Buffer.from([1, 0]), () => {}), /claims 256 bytes/);
});

test('what has come of a request in small pieces does not hold on to the memory that they came in', () => {
  const frames = new Frames(1_000_000);
  const bytes = framed(Buffer.alloc(10_000, 7));
  const chunk = Buffer.alloc(65_536);
  let got: Buffer | undefined;
  for (let at = 0; at < bytes.length; at += 10) {
    const size = bytes.copy(chunk, 0, at, at + 10);
    frames.push(chunk.subarray(0, size), (frame) => {
      got = Buffer.from(frame);
    });
    chunk.fill(0);
  }
  assert.deepEqual(got, bytes.subarray(4));
});
