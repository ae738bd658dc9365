import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LogError } from '../errors.ts';
import { seededRandom } from '../log/faulty-storage.ts';
import { string } from './fields.ts';
import { type Api, array, Message, type Shape } from './message.ts';
import * as cluster from './messages/cluster.ts';
import * as groups from './messages/groups.ts';
import * as records from './messages/records.ts';
import * as topics from './messages/topics.ts';
import * as transactions from './messages/transactions.ts';
import { Reader } from './reader.ts';
import { sampleOf } from './sample.fixture.ts';

const apis = Object.values({ ...cluster, ...groups, ...records, ...topics, ...transactions }) as unknown as Api[];

function* messages(): Generator<[name: string, message: Message<Shape>, version: number]> {
  for (const { name, versions, request, response } of apis) {
    for (let version = versions[0]; version <= versions[1]; version++) {
      yield [`${name} request v${version}`, request, version];
      yield [`${name} response v${version}`, response, version];
    }
  }
}

/** What a decoder may do with anything at all: give a value, or refuse it by name. */
function decodesOrRefuses(name: string, message: Message<Shape>, version: number, bytes: Buffer): void {
  try {
    message.decode(bytes, version);
  } catch (error) {
    if (error instanceof LogError && error.code === 'INVALID_REQUEST') return;
    throw new Error(`${name} of ${bytes.toString('hex').slice(0, 200)}`, { cause: error });
  }
}

test('every message in every version is read as it was written', () => {
  const random = seededRandom(1);
  for (const [name, message, version] of messages()) {
    for (let n = 0; n < 20; n++) {
      const value = sampleOf(message, version, random);
      const bytes = message.encode(version, value as never);
      const reader = new Reader(bytes);
      assert.deepEqual(message.read(reader, version), value, name);
      assert.equal(reader.left, 0, `${name}: bytes are left`);
    }
  }
});

describe('hostile input', () => {
  test('a message that is cut off anywhere is refused', () => {
    const random = seededRandom(2);
    for (const [name, message, version] of messages()) {
      const bytes = message.encode(version, sampleOf(message, version, random) as never).subarray(0, 400);
      for (let cut = 0; cut < bytes.length; cut++) {
        decodesOrRefuses(name, message, version, Buffer.from(bytes.subarray(0, cut)));
      }
    }
  });

  test('bytes that were changed, and bytes that never were a message, are read as something or refused', () => {
    const random = seededRandom(3);
    const byte = () =>
      random() < 0.3 ? [0x00, 0x7f, 0x80, 0xff][Math.floor(random() * 4)]! : Math.floor(random() * 256);
    for (const [name, message, version] of messages()) {
      for (let n = 0; n < 30; n++) {
        const bytes = message.encode(version, sampleOf(message, version, random) as never);
        for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
          if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = byte();
        }
        decodesOrRefuses(name, message, version, bytes);
        decodesOrRefuses(name, message, version, Buffer.from(Array.from({ length: 40 }, byte)));
      }
    }
  });

  const names = new Message(1, { names: array(string) });

  test('a count is compared with what is there before anything is made for it', () => {
    const claimed = Buffer.alloc(6);
    claimed.writeInt32BE(2 ** 31 - 1, 0);
    assert.throws(() => names.decode(claimed, 0), /an array claims 2147483647 elements/);
    assert.throws(() => names.decode(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]), 1), /an array claims/);
  });

  test('a request has a million array elements at most, however small they are', () => {
    const bytes = Buffer.alloc(4 + 2 * 1_000_001);
    bytes.writeInt32BE(1_000_001, 0);
    assert.throws(() => names.decode(bytes, 0), /more than 1000000 array elements/);
    bytes.writeInt32BE(1_000_000, 0);
    assert.equal(names.decode(bytes, 0).names.length, 1_000_000);
  });

  test('a string that claims more than there is, a negative length and a null that may not be are refused', () => {
    const one = new Message(1, { name: string });
    assert.throws(() => one.decode(Buffer.from([0x7f, 0xff, 65]), 0), /32767 bytes are needed where 1 are left/);
    assert.throws(() => one.decode(Buffer.from([0xff, 0xfe]), 0), /-2 bytes are needed/);
    assert.throws(() => one.decode(Buffer.from([0xff, 0xff]), 0), /name is null/);
    assert.throws(() => names.decode(Buffer.from([0, 0, 0, 1, 0xff, 0xff]), 0), /element 0 of an array is null/);
    assert.throws(() => names.decode(Buffer.from([3, 1, 0, 0]), 1), /element 1 of an array is null/);
    assert.throws(() => one.decode(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), 1), /a varint is longer/);
  });

  test('tagged fields are passed over when they are not known, and refused when they do not fit', () => {
    const one = new Message(0, { name: string, extra: string.tagged(1, 0) });
    const withTags = (...tags: number[]) => one.decode(Buffer.from([2, 65, ...tags]), 0);
    assert.deepEqual(withTags(2, 0, 1, 9, 1, 2, 2, 66), { name: 'A', extra: 'B' });
    assert.throws(() => withTags(1, 1, 1, 0), /extra is null/);
    assert.throws(() => withTags(1, 0, 5, 1), /a tagged field claims 5 bytes where 1 are left/);
    assert.throws(() => withTags(2, 1, 1, 1, 1, 1, 1), /tag 1 follows tag 1/);
    assert.throws(() => withTags(1, 1, 1, 3, 66, 67), /longer than its size/);
  });
});

test('what a version lacks reads as its default and is left out when written', () => {
  const { request } = records.Fetch;
  const value = sampleOf(request, 18, seededRandom(4));
  const old = request.decode(request.encode(4, { ...value, topics: [] } as never), 4);
  assert.deepEqual([old.sessionEpoch, old.rackId, old.replicaState.replicaId], [-1, '', -1]);
  assert.equal(old.maxWaitMs, value.maxWaitMs);
});
