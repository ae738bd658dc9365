import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ManualClock } from '../log/manual-clock.ts';
import { int32 } from '../protocol/fields.ts';
import { type Api, api } from '../protocol/message.ts';
import { ApiVersions } from '../protocol/messages/cluster.ts';
import { Writer } from '../protocol/writer.ts';
import { Budget } from './budget.ts';
import { Connection, type Serving, type Wire } from './connection.ts';
import { type Handler, handler, type Parts } from './handler.ts';
import { defaultSettings } from './settings.ts';

/** Echoes a number, when the test says so; counts the answers of which nothing is needed any more. Key 0 is Produce's, whose requests may be under way together. */
function echo(key: number, name: string): Handler {
  return handler(
    api(key, name, [0, 1], 1, { number: int32 }, { number: int32 }),
    ({ number }, { afterWrite }) => {
      begun.push(number);
      afterWrite(() => released.push(number));
      if (number < 0) throw new TypeError('a bug');
      if (number >= 1000) return undefined;
      if (number >= 100) return { number };
      return new Promise((resolve) => waiting.set(number, () => resolve({ number })));
    },
    (_, errorCode) => ({ number: errorCode }),
  );
}

const begun: number[] = [];
const released: number[] = [];
const waiting = new Map<number, () => void>();
const handlers = new Map([echo(0, 'Produce'), echo(1, 'Fetch')].map((one) => [one.api.key, one]));

class FakeWire implements Wire {
  written: Buffer[] = [];
  slow = false;
  state: 'open' | 'ended' | 'destroyed' = 'open';
  paused = false;

  write(chunks: readonly Uint8Array[], left: () => void): boolean {
    left();
    this.written.push(Buffer.concat(chunks));
    return !this.slow;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.state = 'ended';
  }
  destroy(): void {
    this.state = 'destroyed';
  }

  /** Correlation ids and numbers of the answers so far, with v0 headers. */
  answers(): [number, number][] {
    const bytes = Buffer.concat(this.written);
    const found: [number, number][] = [];
    for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) {
      found.push([bytes.readInt32BE(at + 4), bytes.readInt32BE(at + 8)]);
    }
    return found;
  }
}

let clock: ManualClock;
let wire: FakeWire;
let connection: Connection;
let budget: Budget;
let remarks: string[];
let downs: number;

beforeEach(() => {
  begun.length = 0;
  released.length = 0;
  waiting.clear();
  clock = new ManualClock();
  wire = new FakeWire();
  remarks = [];
  downs = 0;
  budget = new Budget(1000);
  connection = connect(wire, 500);
});

function connect(to: Wire, largestRequest: number): Connection {
  const settings = { ...defaultSettings, 'socket.request.max.bytes': largestRequest };
  const apis = [...handlers.values()].map((one) => one.api).concat(ApiVersions as unknown as Api);
  const parts = { clock, settings, apis, say: (remark: string) => void remarks.push(remark) } as unknown as Parts;
  const serving: Serving = { parts, handlers, budget };
  const who = { host: '10.0.0.1', endpoint: { host: 'here', port: 1 } };
  return new Connection(serving, to, who, () => downs++);
}

function request(key: number, number: number, { version = 0, correlationId = number, padding = 0 } = {}): Buffer {
  const writer = new Writer();
  writer.int16(key);
  writer.int16(version);
  writer.int32(correlationId);
  writer.int16(-1);
  if (version >= 1) writer.uvarint(0);
  writer.int32(number);
  if (version >= 1) writer.uvarint(0);
  writer.raw(Buffer.alloc(padding));
  const body = writer.toBuffer();
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Lets what waits for nothing but promises happen. */
async function settled(): Promise<void> {
  for (let n = 0; n < 10; n++) await undefined;
}

async function answer(number: number): Promise<void> {
  waiting.get(number)!();
  await settled();
}

describe('order', () => {
  test('one request at a time is begun, and the next when it is answered', async () => {
    connection.receive(Buffer.concat([request(1, 1), request(1, 2)]));
    assert.deepEqual(begun, [1]);
    await answer(1);
    assert.deepEqual(begun, [1, 2]);
    await answer(2);
    assert.deepEqual(wire.answers(), [
      [1, 1],
      [2, 2],
    ]);
  });

  test('Produce requests that follow one another are under way together, and are answered in order', async () => {
    connection.receive(Buffer.concat([request(0, 1), request(0, 2), request(1, 3), request(0, 4)]));
    assert.deepEqual(begun, [1, 2]);
    await answer(2);
    assert.deepEqual(wire.answers(), []);
    await answer(1);
    assert.deepEqual(begun, [1, 2, 3], 'another request waits for all of them, and those behind wait for it');
    await answer(3);
    await answer(4);
    assert.deepEqual(
      wire.answers().map(([id]) => id),
      [1, 2, 3, 4],
    );
  });

  test('a request that wants no response gets none, and does not hold up the next', () => {
    connection.receive(Buffer.concat([request(0, 1000), request(0, 100)]));
    assert.deepEqual(wire.answers(), [[100, 100]]);
  });
});

test('thousands of small requests in one chunk are answered', () => {
  budget.take(-1e6);
  const many = Array.from({ length: 20_000 }, (_, n) => request(1, 100 + (n % 100), { correlationId: n }));
  connection.receive(Buffer.concat(many));
  assert.equal(wire.answers().length, 20_000);
});

describe('failures', () => {
  test("a handler's bug is answered as an unknown server error and told to whoever runs the broker", () => {
    connection.receive(Buffer.concat([request(1, -7), request(1, 100)]));
    assert.deepEqual(wire.answers(), [
      [-7, -1],
      [100, 100],
    ]);
    assert.match(remarks[0]!, /Fetch failed: TypeError: a bug/);
  });

  for (const [what, bytes, why] of [
    ['is too large', () => request(1, 1, { padding: 600 }), /claims 614 bytes/],
    ['is cut off', () => Buffer.from([0, 0, 0, 5, 0, 1, 0, 0, 0]), /4 bytes are needed where 1 are left/],
    ['is for an API that is not served', () => request(99, 1), /the API with key 99/],
    ['has a version that is not served', () => request(1, 1, { version: 2 }), /Fetch is served in versions 0 to 1/],
  ] as const) {
    test(`a request that ${what} closes its connection, with a remark`, () => {
      connection.receive(bytes());
      assert.equal(wire.state, 'destroyed');
      assert.match(remarks[0]!, why);
      assert.match(remarks[0]!, /10\.0\.0\.1/);
      assert.deepEqual([downs, budget.taken], [1, 0]);
      connection.receive(request(1, 100));
      assert.deepEqual(begun, [], 'nothing is heard any more');
    });
  }

  test('ApiVersions in a version that nobody knows is answered in version 0, with what there is', () => {
    const served = handlers.get(ApiVersions.key);
    assert.equal(served, undefined);
    const versions = { api: ApiVersions as unknown as Api, serve: () => assert.fail('not to be called') };
    handlers.set(ApiVersions.key, versions);
    try {
      connection.receive(request(ApiVersions.key, 5, { version: 99 }));
      const response = ApiVersions.response.decode(Buffer.concat(wire.written).subarray(8), 0);
      assert.equal(response.errorCode, 35);
      assert.deepEqual(response.apiKeys[1], { apiKey: 1, minVersion: 0, maxVersion: 1 });
    } finally {
      handlers.delete(ApiVersions.key);
    }
  });
});

describe('bounds', () => {
  test('nothing is begun while the client does not read its answers', () => {
    wire.slow = true;
    connection.receive(Buffer.concat([request(1, 100), request(1, 101)]));
    assert.deepEqual(begun, [100]);
    wire.slow = false;
    connection.drained();
    assert.deepEqual(begun, [100, 101]);
  });

  test('with many requests waiting nothing more is read, until they have been begun', async () => {
    connection.receive(request(1, 1));
    for (let n = 0; n < 16; n++) connection.receive(request(1, 100 + n));
    assert.equal(wire.paused, true);
    await answer(1);
    assert.equal(wire.paused, false);
    assert.equal(wire.answers().length, 17);
  });

  test('with too many bytes unanswered nothing more is read, until some are answered elsewhere', async () => {
    connection.receive(request(1, 1));
    budget.take(1000);
    connection.receive(request(1, 2));
    assert.equal(wire.paused, true);
    budget.give(1000);
    assert.equal(wire.paused, false);
    await answer(1);
    await answer(2);
    assert.equal(budget.taken, 0);
  });

  describe('of requests that have come in part', () => {
    const LARGE = 100_000;
    const large = (number: number) => request(1, number, { padding: LARGE });
    let wires: FakeWire[];
    let many: Connection[];

    beforeEach(() => {
      budget = new Budget(3 * LARGE);
      wires = Array.from({ length: 10 }, () => new FakeWire());
      many = wires.map((one) => connect(one, 2 * LARGE));
    });

    const read = () => wires.filter(({ paused }) => !paused).length;

    test('no more is held than the budget, and one of them is read on until it is whole', async () => {
      for (const [n, one] of many.entries()) one.receive(large(n).subarray(0, LARGE));
      // Those that filled it hear of it with what comes next.
      for (const n of [0, 1, 2]) many[n]!.receive(large(n).subarray(LARGE, LARGE + 1));
      assert.equal(read(), 1);
      for (let round = 0; round < many.length; round++) {
        const n = wires.findIndex(({ paused }, index) => !paused && !begun.includes(index));
        many[n]!.receive(large(n).subarray(n < 3 ? LARGE + 1 : LARGE));
        await answer(n);
      }
      assert.deepEqual([...begun].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      assert.deepEqual([read(), budget.taken], [10, 0]);
    });

    test('small requests of others are read all the same', () => {
      for (let n = 0; n < 4; n++) many[n]!.receive(large(n).subarray(0, LARGE));
      many[9]!.receive(request(1, 100).subarray(0, 10));
      assert.equal(wires[9]!.paused, false);
      many[9]!.receive(request(1, 100).subarray(10));
      assert.deepEqual(wires[9]!.answers(), [[100, 100]]);
    });

    test('who goes lets the others on, and gives back what it held', () => {
      for (const [n, one] of many.entries()) one.receive(large(n).subarray(0, LARGE));
      const favourite = 2;
      assert.deepEqual([wires[favourite]!.paused, wires[3]!.paused, wires[4]!.paused], [false, true, true]);
      many[favourite]!.down();
      assert.deepEqual([wires[3]!.paused, wires[4]!.paused], [false, true]);
      for (const one of many) one.down();
      assert.equal(budget.taken, 0);
    });

    test('time in which we do not read does not count against a request', () => {
      for (let n = 0; n < 5; n++) many[n]!.receive(large(n).subarray(0, LARGE));
      const [paused] = [0, 1, 2, 3, 4].filter((n) => wires[n]!.paused);
      clock.advance(20_000);
      for (let n = 0; n < 5; n++) if (n !== paused) many[n]!.down();
      clock.advance(29_000);
      assert.equal(wires[paused!]!.state, 'open');
      clock.advance(31_000);
      assert.equal(wires[paused!]!.state, 'destroyed');
    });
  });

  test('a request that is not whole after thirty seconds closes its connection', () => {
    connection.receive(request(1, 1).subarray(0, 10));
    clock.advance(29_000);
    connection.receive(request(1, 1).subarray(10, 11));
    assert.equal(wire.state, 'open');
    clock.advance(31_000);
    assert.equal(wire.state, 'destroyed');
    assert.match(remarks[0]!, /not whole after 30000 ms/);
  });

  test('a connection that says nothing for ten minutes is closed; one that waits for its answer is not', async () => {
    connection.receive(request(1, 1));
    clock.advance(700_000);
    assert.equal(wire.state, 'open');
    await answer(1);
    clock.advance(600_000);
    assert.equal(wire.state, 'destroyed');
    assert.deepEqual(remarks, []);
  });
});

test('what an answer needed is let go when its connection is over before it is written', async () => {
  connection.receive(Buffer.concat([request(0, 1), request(0, 2)]));
  await answer(2);
  assert.deepEqual(released, []);
  connection.down();
  assert.deepEqual(released, [2]);
  await answer(1);
  assert.deepEqual(released, [2, 1]);
});

test('a connection that stops is read, so that the end of its client is heard', async () => {
  connection.receive(request(1, 1));
  for (let n = 0; n < 16; n++) connection.receive(request(1, 100 + n));
  assert.equal(wire.paused, true);
  connection.stop();
  assert.equal(wire.paused, false);
  await answer(1);
  assert.deepEqual([wire.paused, wire.state], [false, 'ended']);
});

test('a connection that stops answers what was begun, and nothing else, and ends', async () => {
  connection.receive(Buffer.concat([request(1, 1), request(1, 2)]));
  connection.stop();
  assert.equal(wire.state, 'open');
  await answer(1);
  assert.equal(wire.state, 'ended');
  assert.deepEqual(wire.answers(), [[1, 1]]);
  assert.deepEqual(begun, [1]);
});
