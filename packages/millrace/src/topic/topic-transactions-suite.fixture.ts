/** Test support: what the transactions of every `TopicLog` must do, besides topic-log-suite.ts and over the same back ends. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { CONTROL_TOPIC } from './control-topic.ts';
import { type NewRecord, type TopicLog, TransactionFenced } from './topic-log.ts';
import { type Backend, bytes, readAll, record, text } from './topic-log-suite.ts';

const keyed = (count: number, prefix = '', size = 1): NewRecord[] =>
  Array.from({ length: count }, (_, i) => record(`${prefix}${i}${'x'.repeat(size)}`, { key: bytes(`key ${i}`) }));

const PARTITIONS = 3;

/** What readers see of a topic, by partition, when they see so many values: a log may tell of a commit a moment later. */
async function seen(log: TopicLog, topic: string, count: number): Promise<string[][]> {
  for (;;) {
    const found = await committed(log, topic);
    if (found.flat().length >= count) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What readers see of a topic now. */
async function committed(log: TopicLog, topic: string): Promise<string[][]> {
  const [starts, ends] = await Promise.all([log.offsets(topic, 'earliest'), log.offsets(topic, 'latest')]);
  return Promise.all(
    ends.map(async (end, partition) => {
      const values: string[] = [];
      const from = starts[partition]!;
      if (from === end) return values;
      const reader = log.read(topic, partition, from, () => {});
      for (let next = from; next < end; ) {
        const taken = reader.take();
        assert.equal(taken.outOfRange, undefined);
        if (taken.outOfRange) break;
        values.push(...taken.records.map(({ value }) => text(value)!));
        // That there is nothing to see is no news to be told of.
        if (taken.records.length === 0) await new Promise((resolve) => setImmediate(resolve));
        next = taken.next;
      }
      reader.close();
      return values;
    }),
  );
}

export function topicTransactionsSuite(name: string, open: () => Promise<Backend>): void {
  const withLog = (title: string, run: (log: TopicLog, backend: Backend, t: TestContext) => Promise<void>) =>
    test(title, { timeout: 60_000 }, async (t) => {
      const backend = await open();
      try {
        await run(backend.log, backend, t);
      } finally {
        await backend.log.close();
        await backend.close();
      }
    });

  describe(`${name}: transactions`, () => {
    withLog('records of all partitions and the marker are there when it resolves', all);
    withLog('what is refused leaves nothing, and the same id goes on', refused);
    withLog('order is kept, within a transaction of many batches and from one to the next', order);
    withLog('the marker is given to whoever claims next, also after a restart', restart);
    withLog('whoever claimed before is fenced, and publishes nothing', fencing);
    withLog('a claim in the middle of a publication ends it whole or not at all, and its marker says which', between);
    withLog('ids do not disturb each other', independence);
    withLog('a marker survives compaction', compaction);
  });
}

async function all(log: TopicLog): Promise<void> {
  await log.ensureTopic({ name: 'transactions.all', partitions: PARTITIONS });
  const transactions = log.transactions('all');
  assert.equal(await transactions.claim(), undefined);
  const records = keyed(60);
  await transactions.publish('transactions.all', records, bytes('first'));
  const found = await seen(log, 'transactions.all', records.length);
  assert.deepEqual(found.flat().sort(), records.map(({ value }) => text(value!)).sort());
  assert.ok(found.every((values) => values.length > 0));
  // Equal keys go where `produce` puts them.
  await log.produce('transactions.all', records);
  for (const values of await committed(log, 'transactions.all'))
    assert.deepEqual(values.slice(0, values.length / 2), values.slice(values.length / 2));
  const headers = [{ key: 'trace', value: bytes('abc') }];
  await transactions.publish(
    'transactions.all',
    [record('whole', { key: bytes('k'), timestamp: 77, headers })],
    bytes('2nd'),
  );
  const shares = await seen(log, 'transactions.all', 2 * records.length + 1);
  const whole = shares.map(({ length }, partition) => readAll(log, 'transactions.all', partition, 0, length));
  const last = (await Promise.all(whole)).flatMap(({ records: of }) => of).find(({ timestamp }) => timestamp === 77)!;
  assert.deepEqual([text(last.key), text(last.value)], ['k', 'whole']);
  assert.deepEqual(
    last.headers.map(({ key, value }) => [key, text(value)]),
    [['trace', 'abc']],
  );
}

async function refused(log: TopicLog): Promise<void> {
  const topic = 'transactions.refused';
  await log.ensureTopic({ name: topic, partitions: PARTITIONS, config: { 'max.message.bytes': 2_000 } });
  const transactions = log.transactions('refused');
  await transactions.claim();
  const records = keyed(40);
  const large = record('x'.repeat(5_000), { key: bytes('large') });
  await assert.rejects(transactions.publish(topic, [...records, large, ...records], bytes('refused')));
  assert.equal(await transactions.claim(), undefined, 'its marker went with it');
  assert.equal((await committed(log, topic)).flat().length, 0);
  await transactions.publish(topic, records, bytes('taken'));
  await assert.rejects(transactions.publish(topic, [large], bytes('refused again')));
  assert.equal(text((await transactions.claim())!), 'taken');
  await log.produce(topic, [record('later')]);
  assert.equal((await seen(log, topic, records.length + 1)).flat().length, records.length + 1);
}

async function order(log: TopicLog): Promise<void> {
  await log.ensureTopic({ name: 'transactions.ordered', partitions: PARTITIONS });
  const transactions = log.transactions('ordered');
  await transactions.claim();
  const wanted = new Map<string, string[]>();
  for (const epoch of [1, 2, 3]) {
    const records: NewRecord[] = [];
    for (let i = 0; i < 1_500; i++) {
      const key = `key ${i % 7}`;
      const value = `${key}:${epoch}.${i}${'x'.repeat(1_000)}`;
      records.push(record(value, { key: bytes(key) }));
      wanted.set(key, [...(wanted.get(key) ?? []), value]);
    }
    await transactions.publish('transactions.ordered', records, bytes(`epoch ${epoch}`));
  }
  for (const values of await seen(log, 'transactions.ordered', 4_500)) {
    for (const [key, of] of Map.groupBy(values, (value) => value.slice(0, 5))) {
      assert.deepEqual(of, wanted.get(key));
      wanted.delete(key);
    }
  }
  assert.equal(wanted.size, 0);
}

async function restart(log: TopicLog, backend: Backend): Promise<void> {
  await log.ensureTopic({ name: 'transactions.again' });
  const first = log.transactions('again');
  await first.claim();
  await first.publish('transactions.again', [record('a')], bytes('one'));
  await first.publish('transactions.again', [], bytes('two'));
  const other = await backend.reopen();
  const second = other.transactions('again');
  assert.equal(text((await second.claim())!), 'two');
  await second.publish('transactions.again', [record('b')], bytes('three'));
  assert.equal(text((await second.claim())!), 'three');
  assert.deepEqual(await seen(other, 'transactions.again', 2), [['a', 'b']]);
  await other.close();
}

async function fencing(log: TopicLog): Promise<void> {
  await log.ensureTopic({ name: 'transactions.fenced' });
  const [old, young] = [log.transactions('fenced'), log.transactions('fenced')];
  await old.claim();
  await old.publish('transactions.fenced', [record('old')], bytes('old'));
  assert.equal(text((await young.claim())!), 'old');
  await assert.rejects(old.publish('transactions.fenced', [record('zombie')], bytes('zombie')), TransactionFenced);
  await young.publish('transactions.fenced', [record('young')], bytes('young'));
  await assert.rejects(old.publish('transactions.fenced', [record('zombie')], bytes('zombie')), TransactionFenced);
  assert.deepEqual(await seen(log, 'transactions.fenced', 2), [['old', 'young']]);
  assert.equal(text((await old.claim())!), 'young', 'who claims again learns what came of it');
  await assert.rejects(young.publish('transactions.fenced', [record('zombie')], bytes('zombie')), TransactionFenced);
}

async function between(log: TopicLog): Promise<void> {
  const topic = 'transactions.between';
  await log.ensureTopic({ name: topic, partitions: PARTITIONS });
  // Which of the two is first is up to the log; either is right, as long as the marker says which.
  for (let round = 0; round < 12; round++) {
    const [old, young] = [log.transactions(`between ${round}`), log.transactions(`between ${round}`)];
    await old.claim();
    const before = (await committed(log, topic)).flat().length;
    const records = keyed(60, `${round}.`, 3_000);
    let done = false;
    const publishing = old
      .publish(topic, records, bytes('published'))
      .then(
        () => true,
        (error) => {
          assert.ok(error instanceof TransactionFenced, String(error));
          return false;
        },
      )
      .finally(() => (done = true));
    for (let turn = 0; turn < 2 * round && !done; turn++) await new Promise((resolve) => setImmediate(resolve));
    const marker = await young.claim();
    const isThere = marker !== undefined;
    const published = await publishing;
    if (published) assert.ok(isThere, 'what resolved is there');
    const after = (await committed(log, topic)).flat().length;
    assert.equal(after - before, isThere ? records.length : 0, 'the marker tells');
    await young.publish(topic, [], bytes('young'));
  }
}

async function independence(log: TopicLog): Promise<void> {
  await log.ensureTopic({ name: 'transactions.many', partitions: PARTITIONS });
  const ids = ['a', 'b', 'a.b', 'c/d'];
  const all = ids.map((id) => log.transactions(id));
  await Promise.all(all.map((one) => one.claim()));
  for (const epoch of [1, 2, 3]) {
    await Promise.all(all.map((one, i) => one.publish('transactions.many', keyed(5), bytes(`${ids[i]} ${epoch}`))));
  }
  for (const id of ids) assert.equal(text((await log.transactions(id).claim())!), `${id} 3`);
  assert.equal((await seen(log, 'transactions.many', 60)).flat().length, 60);
}

async function compaction(log: TopicLog, { compact }: Backend, t: TestContext): Promise<void> {
  if (typeof compact !== 'function') return t.skip(compact.skip);
  await log.ensureTopic({ name: 'transactions.compacted' });
  const silent = log.transactions('silent');
  await silent.claim();
  await silent.publish('transactions.compacted', [record('x')], bytes('long ago'));
  const busy = log.transactions('busy');
  await busy.claim();
  // Enough for a few segments.
  const padding = 'x'.repeat(200_000);
  for (let epoch = 1; epoch <= 12; epoch++)
    await busy.publish('transactions.compacted', [], bytes(`${epoch}${padding}`));
  const markers = (await committed(log, CONTROL_TOPIC)).flat().length;
  await compact(CONTROL_TOPIC);
  assert.ok((await committed(log, CONTROL_TOPIC)).flat().length < markers, 'nothing was compacted');
  assert.equal(text((await busy.claim())!), `12${padding}`);
  assert.equal(text((await silent.claim())!), 'long ago');
  assert.equal(await log.transactions('new').claim(), undefined);
}
