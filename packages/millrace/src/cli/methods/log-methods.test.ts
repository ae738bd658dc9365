import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Log } from '@millrace/broker';
import { openLog } from '@millrace/broker';
import { embeddedTopicLog } from '../../topic/embedded.ts';
import type { ConsumedRecord } from '../api.ts';
import { fromBase64, toBase64 } from '../api.ts';
import { logMethods } from './log-methods.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-log-methods-'));
let log: Log;
let methods: ReturnType<typeof logMethods>;
before(async () => {
  log = await openLog({ directory: folder, fsync: false });
  methods = logMethods(log);
});
after(async () => {
  await log.close();
  rmSync(folder, { recursive: true });
});

const none = { item: async () => {}, signal: new AbortController().signal };
const value = (text: string) => ({ key: null, value: toBase64(Buffer.from(text)), headers: [] });
const produce = (topic: string, texts: readonly string[], partition = 0) =>
  methods.produce({ topic, records: texts.map((text) => ({ ...value(text), partition })) }, none);

/** The values that a consume gives; `seen` may end it. */
async function consumed(params: object, seen: (texts: readonly string[], abort: () => void) => void = () => {}) {
  const texts: string[] = [];
  const abort = new AbortController();
  const item = async (record: unknown) => {
    texts.push(Buffer.from(fromBase64((record as ConsumedRecord).value)!).toString());
    seen(texts, () => abort.abort());
  };
  const result = await methods.consume(params, { item, signal: abort.signal });
  return { texts, ...result };
}

test('consume gives what is there when it starts, from where it is told, and no more than it is told', async () => {
  await methods['topics.create']({ topic: 'two', partitions: 2 }, none);
  await produce('two', ['a', 'b', 'c']);
  await produce('two', ['x', 'y'], 1);
  const topic = 'two';
  assert.deepEqual(await consumed({ topic }), { texts: ['a', 'b', 'c', 'x', 'y'], records: 5, complete: true });
  assert.deepEqual((await consumed({ topic, from: 'latest' })).texts, []);
  assert.deepEqual((await consumed({ topic, partition: 0, from: { offset: 1 } })).texts, ['b', 'c']);
  assert.deepEqual((await consumed({ topic, from: { time: Date.now() + 60_000 } })).texts, []);
  assert.deepEqual((await consumed({ topic, max: 4 })).texts, ['a', 'b', 'c', 'x']);
  const growing = await consumed({ topic, partition: 1 }, () => void produce('two', ['more'], 1));
  assert.deepEqual(growing.texts, ['x', 'y']);
});

test('what topologies published in transactions is consumed to its end, and their control topic is not listed', async () => {
  const topics = embeddedTopicLog(log);
  await topics.ensureTopic({ name: 'published' });
  const transactions = topics.transactions('t');
  await transactions.claim();
  const records = ['a', 'b'].map((text) => ({ key: null, value: Buffer.from(text), timestamp: 1 }));
  for (const marker of ['1', '2']) await transactions.publish('published', records, Buffer.from(marker));
  assert.deepEqual(await consumed({ topic: 'published' }), { texts: ['a', 'b', 'a', 'b'], records: 4, complete: true });
  const listed = (await methods['topics.list']({}, none)) as readonly { readonly topic: string }[];
  assert.ok(listed.some(({ topic }) => topic === 'published'));
  assert.ok(!listed.some(({ topic }) => topic.startsWith('__')), JSON.stringify(listed));
  await methods['topics.describe']({ topic: '__millrace_epochs' }, none);
});

test('following goes on with what arrives until it is ended', async () => {
  await methods['topics.create']({ topic: 'followed' }, none);
  await produce('followed', ['1']);
  const { texts, complete } = await consumed({ topic: 'followed', follow: true }, (seen, abort) => {
    if (seen.length < 4) void produce('followed', [String(seen.length + 1)]);
    else abort();
  });
  assert.deepEqual([texts, complete], [['1', '2', '3', '4'], false]);
});

test('requests that another process got wrong are refused with what is wrong', async () => {
  const refused = (call: () => unknown, message: RegExp) =>
    assert.rejects(async () => call(), { code: 'MR_CONTROL', message });
  await methods['topics.create']({ topic: 'here' }, none);
  await refused(() => methods.consume(undefined, none), /must be an object/);
  await refused(() => methods.consume({}, none), /'topic' is missing/);
  await refused(() => methods.consume({ topic: 'here', from: 'nowhere' }, none), /'from' must be/);
  await refused(() => methods.consume({ topic: 'here', partition: 9 }, none), /partitions 0 to 0, and not 9/);
  await refused(() => methods.consume({ topic: 'here', max: -1 }, none), /'max' must be an integer/);
  await refused(() => methods.produce({ topic: 'here', records: 'x' }, none), /'records' must be a list/);
  await refused(() => methods.produce({ topic: 'here', records: [{ key: 5 }] }, none), /'key' must be a text/);
  await assert.rejects(async () => methods.consume({ topic: 'gone' }, none), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
});

test('describe tells the lag of the groups of a topic', async () => {
  await methods['topics.create']({ topic: 'lagging' }, none);
  await produce('lagging', ['1', '2', '3']);
  await log.commitOffsets('slow', 'lagging', new Map([[0, 1]]));
  await log.commitOffsets('other', 'here', new Map([[0, 0]]));
  const { groups } = await methods['topics.describe']({ topic: 'lagging' }, none);
  assert.deepEqual(groups, [{ group: 'slow', lag: [{ partition: 0, committed: 1, latest: 3, lag: 2 }] }]);
});
