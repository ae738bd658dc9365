/** A judge: KafkaJS, long unmaintained and in many programs still. */
import { type Consumer, type ITopicConfig, Kafka, logLevel, type Message, type ProducerConfig } from 'kafkajs';
import { answered, bootstrap, check, equal, judged, numbers, own, skip, until } from './judge.ts';

const kafka = new Kafka({ clientId: 'judged', brokers: [bootstrap], logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();

async function make(what: string, partitions = 1, more: Partial<ITopicConfig> = {}): Promise<string> {
  const topic = own(what);
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, ...more }] });
  await answered(topic, () => admin.fetchTopicOffsets(topic));
  return topic;
}

async function send(topic: string, messages: Message[], how: { acks?: number; compression?: number } = {}) {
  const client = kafka.producer();
  await client.connect();
  await client.send({ topic, messages, ...how });
  await client.disconnect();
}

interface Read {
  readonly partition: number;
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly timestamp: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A member of a group that reads from the beginning: what it holds, what it has read. */
async function member(group: string, topic: string, options: { committed?: boolean; commits?: boolean } = {}) {
  const client: Consumer = kafka.consumer({
    groupId: group,
    heartbeatInterval: 250,
    sessionTimeout: 10_000,
    maxWaitTimeInMs: 100,
    readUncommitted: !options.committed,
    retry: { initialRetryTime: 50, retries: 10 },
  });
  const read: Read[] = [];
  let held: readonly number[] = [];
  client.on(client.events.GROUP_JOIN, ({ payload }) => {
    held = payload.memberAssignment[topic] ?? [];
  });
  await client.connect();
  await client.subscribe({ topics: [topic], fromBeginning: true });
  await client.run({
    autoCommit: options.commits === true,
    eachMessage: async ({ partition, message: { key, value, timestamp, headers } }) => {
      const texts = Object.entries(headers ?? {}).map(([name, one]) => [name, String(one)]);
      read.push({
        partition,
        key: key?.toString(),
        value: value?.toString(),
        timestamp,
        headers: Object.fromEntries(texts),
      });
    },
  });
  return { client, read, held: () => held, leave: () => client.disconnect() };
}

type Member = Awaited<ReturnType<typeof member>>;

/** `count` records of a topic, once that many have come. */
async function everything(topic: string, count: number, committed = false): Promise<Read[]> {
  const reader = await member(own(`reader of ${topic}`), topic, { committed });
  try {
    await until(
      () => reader.read.length >= count,
      () => `${count} records of ${topic}; ${reader.read.length} came`,
    );
    return reader.read;
  } finally {
    await reader.leave();
  }
}

const values = (records: readonly Read[]) => records.map(({ value }) => value);

async function refused(type: string, call: () => Promise<unknown>): Promise<void> {
  const found = await call().then(
    () => 'done',
    (error) => String(error.errors?.[0]?.type ?? error.type ?? error),
  );
  equal(found, type, 'the answer');
}

async function settled(count: number, ...members: readonly Member[]): Promise<void> {
  const all = numbers(count).map(Number);
  await until(
    () => {
      const held = members.flatMap((one) => one.held()).sort();
      return held.length === count && all.every((p) => held.includes(p)) && members.every((one) => one.held().length);
    },
    () => `a settled group; held are ${JSON.stringify(members.map((one) => one.held()))}`,
  );
}

for (const acks of [0, 1, -1]) {
  await check(`produce/acks=${acks === -1 ? 'all' : acks}`, async () => {
    const topic = await make(`acks${acks}`);
    await send(
      topic,
      numbers(20).map((value) => ({ value })),
      { acks },
    );
    equal(values(await everything(topic, 20)), numbers(20), 'what was read');
  });
}

await check('produce/keys, headers, null and empty values, timestamps', async () => {
  const topic = await make('shapes');
  const now = Date.now() - 5000;
  await send(topic, [
    { key: 'k', value: 'v', headers: { a: '1', b: '' }, timestamp: String(now) },
    { key: 'k', value: null, timestamp: String(now + 1) },
    { value: '', timestamp: String(now + 2) },
  ]);
  const common = { partition: 0, headers: {} };
  equal(
    await everything(topic, 3),
    [
      { ...common, key: 'k', value: 'v', headers: { a: '1', b: '' }, timestamp: String(now) },
      { ...common, key: 'k', value: undefined, timestamp: String(now + 1) },
      { ...common, key: undefined, value: '', timestamp: String(now + 2) },
    ],
    'what was read',
  );
});

await check('compression/gzip', async () => {
  const topic = await make('gzip');
  const sent = numbers(1000).map((number) => `record ${number} `.repeat(20));
  await send(
    topic,
    sent.map((value) => ({ value })),
    { compression: 1 },
  );
  equal(values(await everything(topic, sent.length)), sent, 'what was read');
});

for (const codec of ['snappy', 'lz4', 'zstd']) skip(`compression/${codec}`, 'KafkaJS has it by further packages only');

await check('groups/range, a second member comes, the first leaves', async () => {
  const topic = await make('shared', 4);
  const group = own('shared');
  const first = await member(group, topic);
  await settled(4, first);
  const second = await member(group, topic);
  await settled(4, first, second);
  await first.leave();
  await settled(4, second);
  await second.leave();
});

await check('groups/offsets committed are where the next member goes on', async () => {
  const topic = await make('resume', 2);
  const group = own('resume');
  await send(
    topic,
    numbers(10).map((value, index) => ({ value, partition: index % 2 })),
  );
  const first = await member(group, topic);
  await until(
    () => first.read.length >= 10,
    () => `ten records; ${first.read.length} came`,
  );
  await first.client.commitOffsets([
    { topic, partition: 0, offset: '3' },
    { topic, partition: 1, offset: '5' },
  ]);
  await first.leave();
  const second = await member(group, topic);
  await until(
    () => second.read.length === 2,
    () => `the two records after those committed; ${second.read.length} came`,
  );
  equal(values(second.read), ['6', '8'], 'what the second member read');
  await second.leave();
});

await check('admin/create, list and describe topics', async () => {
  const topic = await make('described', 3);
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  equal(
    topics[0]?.partitions.map(({ partitionId, isr }) => [partitionId, isr.length]).sort(),
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
    'the partitions',
  );
  equal((await admin.listTopics()).includes(topic), true, 'the topic is listed');
  const existing = { topics: [{ topic, replicationFactor: 1 }] };
  equal(await admin.createTopics(existing), false, 'the answer to creating it again');
  const three = { topics: [{ topic: own('three'), replicationFactor: 3 }] };
  await refused('INVALID_REPLICATION_FACTOR', () => admin.createTopics(three));
});

await check('admin/configs, created, described, altered', async () => {
  const topic = await make('configured', 1, { configEntries: [{ name: 'retention.ms', value: '3600000' }] });
  const resource = { type: 2, name: topic };
  const described = async (name: string) => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    return resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
  };
  await until(
    async () => (await described('retention.ms')) === '3600000',
    () => 'retention.ms=3600000',
  );
  const compact = { ...resource, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] };
  await admin.alterConfigs({ validateOnly: false, resources: [compact] });
  await until(
    async () => (await described('cleanup.policy')) === 'compact',
    () => 'cleanup.policy=compact',
  );
  equal(await described('retention.ms'), '604800000', 'retention.ms, which the old call sets back');
});

await check('admin/partitions are added', async () => {
  const topic = await make('grown');
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  await until(
    async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length === 4,
    () => 'four partitions',
  );
});

await check('admin/records are deleted up to an offset', async () => {
  const topic = await make('cut');
  await send(
    topic,
    numbers(10).map((value) => ({ value })),
  );
  // KafkaJS deletes only from topics whose leaders it has looked up before.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
  equal(values(await everything(topic, 6)), numbers(10).slice(4), 'what was read');
});

await check('admin/groups, listed, described, offsets altered, deleted', async () => {
  const topic = await make('grouped', 2);
  const group = own('grouped');
  const one = await member(group, topic);
  await settled(2, one);
  equal(
    (await admin.listGroups()).groups.some(({ groupId }) => groupId === group),
    true,
    'the group is listed',
  );
  const { groups } = await admin.describeGroups([group]);
  equal([groups[0]?.state, groups[0]?.protocol], ['Stable', 'RoundRobinAssigner'], 'state and assignor');
  equal(groups[0]?.members[0]?.clientId, 'judged', 'the member');
  await one.leave();
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '2' }] });
  const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  equal(offsets?.partitions.find(({ partition }) => partition === 0)?.offset, '2', 'the offset');
  await admin.deleteGroups([group]);
  equal(
    (await admin.listGroups()).groups.some(({ groupId }) => groupId === group),
    false,
    'the group is listed',
  );
});

await check('admin/the cluster is described', async () => {
  const { brokers, controller } = await admin.describeCluster();
  equal(`${brokers[0]?.host}:${brokers[0]?.port}`, bootstrap, 'the advertised address');
  equal(controller, brokers[0]?.nodeId, 'the controller');
});

await check('admin/topics are deleted', async () => {
  const topic = await make('gone');
  await admin.deleteTopics({ topics: [topic] });
  await until(
    async () => !(await admin.listTopics()).includes(topic),
    () => 'the topic is listed no more',
  );
});

async function opened(what: string, more: ProducerConfig = {}) {
  const client = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 5 }, ...more });
  await client.connect();
  return { client, what };
}

await check('idempotence/two thousand records, none lost, none twice, in order', async () => {
  const topic = await make('idempotent');
  const { client } = await opened('idempotent');
  for (let first = 0; first < 2000; first += 100)
    await client.send({
      topic,
      messages: numbers(2000)
        .slice(first, first + 100)
        .map((value) => ({ value })),
    });
  await client.disconnect();
  equal(values(await everything(topic, 2000)), numbers(2000), 'what was read');
});

await check('transactions/committed ones are read, aborted ones are not', async () => {
  const topic = await make('atomic');
  const { client } = await opened('atomic', { transactionalId: own('atomic') });
  for (const value of ['commit 0', 'abort 1', 'commit 2', 'abort 3', 'commit 4']) {
    const transaction = await client.transaction();
    await transaction.send({ topic, messages: [{ value }] });
    await (value.startsWith('commit') ? transaction.commit() : transaction.abort());
  }
  await client.disconnect();
  equal(values(await everything(topic, 3, true)), ['commit 0', 'commit 2', 'commit 4'], 'read committed');
  equal((await everything(topic, 5)).length, 5, 'records read uncommitted');
});

await check('transactions/offsets go with them', async () => {
  const source = await make('from');
  const group = own('mover');
  const committed = async () =>
    (await admin.fetchOffsets({ groupId: group, topics: [source] }))[0]?.partitions[0]?.offset;
  for (const offset of ['4', '5']) {
    // One client each: this one does not wait where Apache Kafka is still ending the transaction before.
    const { client } = await opened('mover', { transactionalId: own(`mover-${offset}`) });
    const transaction = await client.transaction();
    const topics = [{ topic: source, partitions: [{ partition: 0, offset }] }];
    await transaction.sendOffsets({ consumerGroupId: group, topics });
    await (offset === '4' ? transaction.abort() : transaction.commit());
    await client.disconnect();
    if (offset === '4') equal(await committed(), '-1', 'the aborted offset');
  }
  await until(
    async () => (await committed()) === '5',
    () => 'the committed offset',
  );
});

await check('transactions/a zombie is fenced', async () => {
  const topic = await make('fenced');
  const { client: zombie } = await opened('zombie', { transactionalId: own('fenced') });
  const late = await zombie.transaction();
  await late.send({ topic, messages: [{ value: 'of the zombie' }] });
  const { client: heir } = await opened('heir', { transactionalId: own('fenced') });
  const transaction = await heir.transaction();
  const answer = await late.commit().then(
    () => 'done',
    (error) => String(error.type),
  );
  equal(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'].includes(answer), true, `fenced, by the answer ${answer},`);
  await transaction.send({ topic, messages: [{ value: 'of the heir' }] });
  await transaction.commit();
  equal(values(await everything(topic, 1, true)), ['of the heir'], 'what was read');
});

await check('times/offsets for times; earliest and latest', async () => {
  const topic = await make('timed');
  const start = Date.now() - 100_000;
  await send(
    topic,
    numbers(5).map((value, index) => ({ value, timestamp: String(start + 1000 * index) })),
  );
  const at = async (time: number) => (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0]?.offset;
  equal([await at(start), await at(start + 1500)], ['0', '2'], 'offsets');
  const [offsets] = await admin.fetchTopicOffsets(topic);
  equal([offsets?.low, offsets?.high], ['0', '5'], 'the first offset and the end offset');
});

judged();
