import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { LogRecord } from '../log/api.ts';
import { claimedSize, decodeRecords } from '../log/record-batch.ts';
import { NO_UUID } from '../protocol/fields.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { Fetch, Produce } from '../protocol/messages/records.ts';
import { batchOf, startBroker } from '../server/broker.fixture.ts';
import { TestClient } from '../server/client.fixture.ts';

type FetchRequest = WriteOf<typeof Fetch.request.shape>;
type FetchResponse = ReadOf<typeof Fetch.response.shape>;

const asked = (partition: number, fetchOffset: number, partitionMaxBytes = 1_000_000) => ({
  partition,
  fetchOffset,
  partitionMaxBytes,
});

function fetchOf(partitions: ReturnType<typeof asked>[], changes: Partial<FetchRequest> = {}): FetchRequest {
  const topics = partitions.length === 0 ? [] : [{ topic: 't', partitions }];
  return { maxWaitMs: 0, minBytes: 1, isolationLevel: 0, topics, forgottenTopicsData: [], ...changes };
}

async function withTopic(t: TestContext, partitions = 1) {
  const { broker, client } = await startBroker(t);
  await broker.log.createTopic('t', { partitions });
  return { broker, client };
}

function produce(client: TestClient, index: number, ...values: string[]) {
  const topicData = [{ name: 't', partitionData: [{ index, records: batchOf(values) }] }];
  return client.call(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
}

/** Partition → values. */
function valuesIn({ responses }: FetchResponse): Record<number, string[]> {
  const found: Record<number, string[]> = {};
  for (const { partitions } of responses) {
    for (const { partitionIndex, records } of partitions) {
      const into: LogRecord[] = [];
      for (let at = 0; at < (records?.length ?? 0); at += claimedSize(records!, at))
        decodeRecords(records!, at, 0, into);
      found[partitionIndex] = into.map(({ value }) => Buffer.from(value!).toString());
    }
  }
  return found;
}

test('what was produced is fetched, from the batch that holds the offset on', async (t) => {
  const { client } = await withTopic(t);
  await produce(client, 0, 'a', 'b');
  const produced = await produce(client, 0, 'c');
  assert.equal(produced.responses[0]!.partitionResponses[0]!.baseOffset, 2);
  assert.deepEqual(valuesIn(await client.call(Fetch, 12, fetchOf([asked(0, 0)]))), { 0: ['a', 'b', 'c'] });
  assert.deepEqual(valuesIn(await client.call(Fetch, 12, fetchOf([asked(0, 1)]))), { 0: ['a', 'b', 'c'] });
  const last = await client.call(Fetch, 12, fetchOf([asked(0, 2)]));
  assert.deepEqual(valuesIn(last), { 0: ['c'] });
  const [partition] = last.responses[0]!.partitions;
  assert.deepEqual([partition!.highWatermark, partition!.lastStableOffset, partition!.logStartOffset], [3, 3, 0]);
});

test('a topic is found by its id as well, and an id that nobody has is told as such', async (t) => {
  const { client, broker } = await withTopic(t);
  const topicId = broker.log.describeTopic('t').id;
  const partitionData = [{ index: 0, records: batchOf(['a']) }];
  const produced = await client.call(Produce, 13, { acks: -1, timeoutMs: 1, topicData: [{ topicId, partitionData }] });
  assert.equal(produced.responses[0]!.partitionResponses[0]!.errorCode, 0);
  const byId = (id: string) => fetchOf([], { topics: [{ topicId: id, partitions: [asked(0, 0)] }] });
  assert.deepEqual(valuesIn(await client.call(Fetch, 18, byId(topicId))), { 0: ['a'] });
  const unknown = await client.call(Fetch, 18, byId(topicId.replace(/^.{8}/, '00000001')));
  assert.equal(unknown.responses[0]!.partitions[0]!.errorCode, 100);
  assert.equal(unknown.responses[0]!.topic, '');
});

test('an offset out of range, a partition and a topic that are not there have their own errors', async (t) => {
  const { client } = await withTopic(t);
  const errorOf = async (request: FetchRequest) =>
    (await client.call(Fetch, 12, request)).responses[0]!.partitions[0]!.errorCode;
  assert.equal(await errorOf(fetchOf([asked(0, 1)])), 1);
  assert.equal(await errorOf(fetchOf([asked(7, 0)])), 3);
  assert.equal(await errorOf(fetchOf([], { topics: [{ topic: 'other', partitions: [asked(0, 0)] }] })), 3);
});

/** Who waits for the end of this waits for something that does not come. */
const EVER = { maxWaitMs: 2 ** 31 - 1 };

describe('waiting', { timeout: 20_000 }, () => {
  test('a fetch at the end is answered as soon as there is a record', async (t) => {
    const { client, broker } = await withTopic(t);
    const waiting = client.call(Fetch, 12, fetchOf([asked(0, 0)], EVER));
    await broker.log.producer().send({ topic: 't', value: Buffer.from('late') });
    assert.deepEqual(valuesIn(await waiting), { 0: ['late'] });
  });

  test('and not before there are min bytes, or its time is up', async (t) => {
    const { client, broker } = await withTopic(t);
    const request = fetchOf([asked(0, 0)], { ...EVER, minBytes: 300 });
    const waiting = client.call(Fetch, 12, request);
    const producer = broker.log.producer();
    for (const value of ['1', '2', '3', '4', '5']) await producer.send({ topic: 't', value: Buffer.from(value) });
    assert.deepEqual(valuesIn(await waiting), { 0: ['1', '2', '3', '4', '5'] });
    const late = await client.call(Fetch, 12, fetchOf([asked(0, 5)], { maxWaitMs: 5, minBytes: 300 }));
    assert.deepEqual(valuesIn(late), { 0: [] });
  });

  test('and does not wait for more than it will be given', async (t) => {
    const { client } = await withTopic(t);
    await produce(client, 0, 'a'.repeat(500));
    const request = fetchOf([asked(0, 0)], { ...EVER, minBytes: 1000, maxBytes: 100 });
    assert.equal(valuesIn(await client.call(Fetch, 12, request))[0]!.length, 1);
  });

  test('a topic that is deleted is told at once', async (t) => {
    const { client, broker } = await withTopic(t);
    const waiting = client.call(Fetch, 12, fetchOf([asked(0, 0)], { ...EVER, minBytes: 100 }));
    // Behind the fetch on the same broker: by then that waits.
    const other = await TestClient.connect(broker.port, broker.host);
    t.after(() => other.close());
    await produce(other, 0, 'a');
    await broker.log.deleteTopic('t');
    assert.equal((await waiting).responses[0]!.partitions[0]!.errorCode, 3);
  });

  test('an error is answered at once', async (t) => {
    const { client } = await withTopic(t);
    const response = await client.call(Fetch, 12, fetchOf([asked(0, 0), asked(0, 99)], EVER));
    assert.equal(response.responses[0]!.partitions.at(-1)!.errorCode, 1);
  });
});

describe('size', () => {
  test('one batch is given however large, from the first partition that has one, and the others within the limit', async (t) => {
    const { client } = await withTopic(t, 3);
    for (const index of [1, 2]) await produce(client, index, String(index).repeat(2000));
    const all = [asked(0, 0, 10), asked(1, 0, 10), asked(2, 0, 10)];
    const found = valuesIn(await client.call(Fetch, 12, fetchOf(all, { maxBytes: 10 })));
    assert.deepEqual(
      Object.values(found).map(([value]) => value?.length ?? 0),
      [0, 2000, 0],
    );
  });

  test('whole batches, as many as fit', async (t) => {
    const { client } = await withTopic(t);
    for (const value of ['a', 'b', 'c']) await produce(client, 0, value.repeat(100));
    const two = valuesIn(await client.call(Fetch, 12, fetchOf([asked(0, 0, 400)])));
    assert.equal(two[0]!.length, 2);
  });
});

describe('sessions', () => {
  async function open(client: TestClient, ...partitions: number[]): Promise<number> {
    const request = fetchOf(
      partitions.map((partition) => asked(partition, 0)),
      { sessionEpoch: 0 },
    );
    const { sessionId } = await client.call(Fetch, 12, request);
    assert.notEqual(sessionId, 0);
    return sessionId;
  }
  const next = (sessionId: number, sessionEpoch: number, changes: Partial<FetchRequest> = {}) =>
    fetchOf([], { sessionId, sessionEpoch, ...changes });

  test('a fetch in a session says only what changed', async (t) => {
    const { client } = await withTopic(t, 3);
    const session = await open(client, 0, 1, 2);
    assert.deepEqual((await client.call(Fetch, 12, next(session, 1))).responses, []);
    await produce(client, 1, 'x');
    assert.deepEqual(valuesIn(await client.call(Fetch, 12, next(session, 2, { maxWaitMs: 60_000 }))), { 1: ['x'] });
    const moved = next(session, 3, { topics: [{ topic: 't', partitions: [asked(1, 1)] }] });
    assert.deepEqual((await client.call(Fetch, 12, moved)).responses, []);
  });

  test('partitions can be left out of it, and taken in', async (t) => {
    const { client } = await withTopic(t, 3);
    const session = await open(client, 0, 1);
    await produce(client, 0, 'x');
    await produce(client, 2, 'z');
    const changed = next(session, 1, {
      forgottenTopicsData: [{ topic: 't', partitions: [0] }],
      topics: [{ topic: 't', partitions: [asked(2, 0)] }],
    });
    assert.deepEqual(valuesIn(await client.call(Fetch, 12, changed)), { 2: ['z'] });
  });

  test('who was served comes last in the next response, so that none starves', async (t) => {
    const { client } = await withTopic(t, 2);
    for (const index of [0, 1]) await produce(client, index, String(index).repeat(1000));
    const full = { sessionEpoch: 0, maxBytes: 100 };
    const first = await client.call(Fetch, 12, fetchOf([asked(0, 0), asked(1, 0)], full));
    assert.equal(valuesIn(first)[0]!.length, 1);
    const served = { topics: [{ topic: 't', partitions: [asked(0, 0)] }], maxBytes: 100 };
    const second = valuesIn(await client.call(Fetch, 12, next(first.sessionId, 1, served)));
    const third = valuesIn(await client.call(Fetch, 12, next(first.sessionId, 2, { maxBytes: 100 })));
    assert.deepEqual([second[0]?.length, third[1]?.length], [1, 1]);
  });

  test('an epoch that is not the next, and a session that is not there, make the client begin anew', async (t) => {
    const { client } = await withTopic(t);
    const session = await open(client, 0);
    assert.equal((await client.call(Fetch, 12, next(session, 2))).errorCode, 71);
    assert.equal((await client.call(Fetch, 12, next(session + 1, 1))).errorCode, 70);
    await client.call(Fetch, 12, fetchOf([], { sessionId: session, sessionEpoch: -1 }));
    assert.equal((await client.call(Fetch, 12, next(session, 1))).errorCode, 70);
  });
});

test('a partition is named by name in old versions and by id in new ones, never by both', async (t) => {
  const { client } = await withTopic(t);
  const { responses } = await client.call(Fetch, 4, fetchOf([asked(0, 0)]));
  assert.deepEqual([responses[0]!.topic, responses[0]!.topicId], ['t', NO_UUID]);
});
