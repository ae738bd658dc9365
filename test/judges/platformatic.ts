/** A judge: @platformatic/kafka, the client that Millrace itself uses. */
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  cooperativeStickyAssigner,
  FetchIsolationLevels,
  type GroupPartitionsAssigner,
  IncrementalAlterConfigOperationTypes,
  ListOffsetTimestamps,
  type Message,
  MessagesStreamModes,
  type MessageToProduce,
  Producer,
  type ProducerOptions,
  ResponseError,
  type SendOptions,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { answered, bootstrap, check, equal, judged, numbers, own, skip, until } from './judge.ts';

const base = { clientId: 'judged', bootstrapBrokers: [bootstrap], retries: 10, retryDelay: 50 };
const admin = new Admin(base);

type Text = Message<string, string, string, string>;
type Producing = Omit<Partial<ProducerOptions<string, string, string, string>>, 'serializers'>;

async function make(what: string, partitions = 1, configs: { name: string; value: string }[] = []): Promise<string> {
  const topic = own(what);
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
  const all = numbers(partitions).map((partition) => ({
    partitionIndex: Number(partition),
    timestamp: ListOffsetTimestamps.LATEST,
  }));
  await answered(topic, () => admin.listOffsets({ topics: [{ name: topic, partitions: all }] }));
  return topic;
}

const producer = (options: Producing = {}) => new Producer({ ...base, serializers: stringSerializers, ...options });

type Sending = Omit<SendOptions<string, string, string, string>, 'messages'>;

/** The client takes `acks` with each call only, whatever its constructor was told; by itself it has 1. */
async function send(messages: MessageToProduce<string, string, string, string>[], how: Sending = {}) {
  const client = producer();
  await client.send({ messages, acks: -1, ...how });
  await client.close();
}

interface Joining {
  readonly isolationLevel?: 0 | 1;
  readonly mode?: 'earliest' | 'committed';
  readonly groupInstanceId?: string;
  readonly cooperative?: boolean;
}

/** A member of a group that reads: what it has read, what it holds. */
async function member(group: string, topic: string, options: Joining = {}) {
  const { isolationLevel = FetchIsolationLevels.READ_UNCOMMITTED, mode = 'earliest', groupInstanceId } = options;
  const assignor = options.cooperative
    ? {
        protocols: [{ name: 'cooperative-sticky', version: 1 }],
        partitionAssigner: cooperativeStickyAssigner as GroupPartitionsAssigner,
      }
    : {};
  const client = new Consumer({
    ...base,
    groupId: group,
    deserializers: stringDeserializers,
    autocommit: false,
    sessionTimeout: 10_000,
    heartbeatInterval: 250,
    maxWaitTime: 100,
    isolationLevel,
    ...(groupInstanceId ? { groupInstanceId } : {}),
    ...assignor,
  });
  const read: Text[] = [];
  const stream = await client.consume({
    topics: [topic],
    mode: mode === 'earliest' ? MessagesStreamModes.EARLIEST : MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
  });
  stream.on('data', (message: Text) => read.push(message));
  const held = () => (client.assignments ?? []).flatMap(({ partitions }) => partitions);
  return { client, read, held, leave: () => client.close(true) };
}

type Member = Awaited<ReturnType<typeof member>>;

async function everything(topic: string, count: number, isolationLevel: 0 | 1 = 0): Promise<Text[]> {
  const reader = await member(own(`reader-of-${topic}`), topic, { isolationLevel });
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

const values = (messages: readonly Text[]) => messages.map(({ value }) => value);

async function refused(code: string, call: () => Promise<unknown>): Promise<void> {
  const answer = await call().then(
    () => 'it was done',
    (error) => (error instanceof Error ? `${error.message} ${JSON.stringify(reasons(error))}` : String(error)),
  );
  if (!answer.includes(code)) throw new Error(`the answer is not ${code}: ${answer}`);
}

/** The names of Kafka's errors inside an error, at any depth. */
function reasons(error: unknown): string[] {
  const { apiId, errors = [], cause } = error as { apiId?: string; errors?: unknown[]; cause?: unknown };
  const below = [...(error instanceof ResponseError || Array.isArray(errors) ? errors : []), ...(cause ? [cause] : [])];
  return [...(apiId ? [apiId] : []), ...below.flatMap(reasons)];
}

async function settled(count: number, ...members: readonly Member[]): Promise<void> {
  const all = numbers(count).map(Number);
  await until(
    () => {
      const held = members.flatMap((one) => one.held());
      return held.length === count && all.every((p) => held.includes(p)) && members.every((one) => one.held().length);
    },
    () => `a settled group; held are ${JSON.stringify(members.map((one) => one.held()))}`,
  );
}

for (const acks of [0, 1, -1]) {
  await check(`produce/acks=${acks === -1 ? 'all' : acks}`, async () => {
    const topic = await make(`acks${acks}`);
    await send(
      numbers(20).map((value) => ({ topic, value })),
      { acks },
    );
    equal(values(await everything(topic, 20)), numbers(20), 'what was read');
  });
}

await check('produce/keys, headers, null and empty values, timestamps', async () => {
  const topic = await make('shapes');
  const now = BigInt(Date.now() - 5000);
  await send([
    { topic, key: 'k', value: 'v', headers: { a: '1', b: '' }, timestamp: now },
    { topic, key: 'k', timestamp: now + 1n },
    { topic, value: '', timestamp: now + 2n },
  ]);
  const found = await everything(topic, 3);
  equal(
    found.map(({ key }) => key ?? ''),
    ['k', 'k', ''],
    'the keys',
  );
  equal(
    found.map(({ value }) => value ?? ''),
    ['v', '', ''],
    'the values',
  );
  equal(
    [...(found[0]?.headers ?? [])],
    [
      ['a', '1'],
      ['b', ''],
    ],
    'the headers',
  );
  equal(
    found.map(({ timestamp }) => Number(timestamp - now)),
    [0, 1, 2],
    'the timestamps',
  );
});

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  await check(`compression/${compression}`, async () => {
    const topic = await make(compression);
    const sent = numbers(1000).map((number) => `record ${number} `.repeat(20));
    await send(
      sent.map((value) => ({ topic, value })),
      { compression },
    );
    equal(values(await everything(topic, sent.length)), sent, 'what was read');
  });
}

for (const cooperative of [false, true]) {
  const name = cooperative ? 'cooperative-sticky' : 'roundrobin';
  await check(`groups/${name}, a second member comes, the first leaves`, async () => {
    const topic = await make(name, 4);
    const group = own(name);
    const first = await member(group, topic, { cooperative });
    await settled(4, first);
    const second = await member(group, topic, { cooperative });
    await settled(4, first, second);
    await first.leave();
    await settled(4, second);
    await second.leave();
  });
}

await check('groups/offsets committed are where the next member goes on', async () => {
  const topic = await make('resume', 2);
  const group = own('resume');
  await send(numbers(10).map((value, index) => ({ topic, value, partition: index % 2 })));
  const first = await member(group, topic);
  await until(
    () => first.read.length >= 10,
    () => `ten records; ${first.read.length} came`,
  );
  await first.client.commit({
    offsets: [
      { topic, partition: 0, offset: 3n, leaderEpoch: -1 },
      { topic, partition: 1, offset: 5n, leaderEpoch: -1 },
    ],
  });
  await first.leave();
  const second = await member(group, topic, { mode: 'committed' });
  await until(
    () => second.read.length === 2,
    () => `the two records after those committed; ${values(second.read)} came`,
  );
  equal(values(second.read), ['6', '8'], 'what the second member read');
  await second.leave();
});

await check('admin/create and list topics', async () => {
  const topic = await make('described', 3);
  equal((await admin.listTopics()).includes(topic), true, 'the topic is listed');
  await refused('TOPIC_ALREADY_EXISTS', () => admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }));
  const three = { topics: [own('three')], partitions: 1, replicas: 3 };
  await refused('INVALID_REPLICATION_FACTOR', () => admin.createTopics(three));
});

await check('admin/configs, created, altered one by one, described', async () => {
  const topic = await make('configured', 1, [{ name: 'retention.ms', value: '3600000' }]);
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic };
  const described = async (name: string) => {
    const [found] = await admin.describeConfigs({ resources: [resource] });
    return found?.configs.find((config) => config.name === name)?.value;
  };
  equal(await described('retention.ms'), '3600000', 'retention.ms');
  const configOperation = IncrementalAlterConfigOperationTypes.SET;
  const configs = [{ name: 'cleanup.policy', configOperation, value: 'compact' }];
  await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs }] });
  await until(
    async () => (await described('cleanup.policy')) === 'compact',
    () => 'cleanup.policy=compact',
  );
  equal(await described('retention.ms'), '3600000', 'retention.ms');
});

await check('admin/partitions are added; fewer are refused', async () => {
  const topic = await make('grown');
  await admin.createPartitions({ topics: [{ name: topic, count: 4 }] });
  await refused('INVALID_PARTITIONS', () => admin.createPartitions({ topics: [{ name: topic, count: 2 }] }));
});

await check('admin/records are deleted up to an offset', async () => {
  const topic = await make('cut');
  await send(numbers(10).map((value) => ({ topic, value })));
  const [deleted] = await admin.deleteRecords({
    topics: [{ name: topic, partitions: [{ partition: 0, offset: 4n }] }],
  });
  equal(Number(deleted?.partitions[0]?.lowWatermark), 4, 'the low watermark');
  equal(values(await everything(topic, 6)), numbers(10).slice(4), 'what was read');
});

await check('admin/groups, listed, described, offsets altered, deleted', async () => {
  const topic = await make('grouped', 2);
  const group = own('grouped');
  const one = await member(group, topic);
  await settled(2, one);
  equal((await admin.listGroups()).get(group)?.state as string, 'Stable', 'the state of the group listed');
  const described = (await admin.describeGroups({ groups: [group] })).get(group);
  equal(
    [...(described?.members.values() ?? [])].map(({ clientId }) => clientId),
    ['judged'],
    'the members',
  );
  await refused('NON_EMPTY_GROUP', () => admin.deleteGroups({ groups: [group] }));
  await one.leave();
  const topics = [{ name: topic, partitionOffsets: [{ partition: 0, offset: 2n }] }];
  await admin.alterConsumerGroupOffsets({ groupId: group, topics });
  const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] });
  equal(
    offsets?.topics[0]?.partitions.map(({ committedOffset }) => Number(committedOffset)),
    [2],
    'the offsets',
  );
  await admin.deleteGroups({ groups: [group] });
  equal((await admin.listGroups()).has(group), false, 'the group is listed');
});

await check('admin/topics are deleted', async () => {
  const topic = await make('gone');
  await admin.deleteTopics({ topics: [topic] });
  await until(
    async () => !(await admin.listTopics()).includes(topic),
    () => 'the topic is listed no more',
  );
});

await check('idempotence/two thousand records, none lost, none twice, in order', async () => {
  const topic = await make('idempotent');
  const client = producer({ idempotent: true });
  for (let first = 0; first < 2000; first += 100)
    await client.send({
      messages: numbers(2000)
        .slice(first, first + 100)
        .map((value) => ({ topic, value })),
    });
  await client.close();
  equal(values(await everything(topic, 2000)), numbers(2000), 'what was read');
});

/** Without the −1 of a producer that has no id yet, the client says 0, and a second one of a transactional id is refused. */
const transactional = (what: string) =>
  producer({ transactionalId: own(what), idempotent: true, retries: 5, producerId: -1n, producerEpoch: -1 });

await check('transactions/committed ones are read, aborted ones are not', async () => {
  const topic = await make('atomic');
  const client = transactional('atomic');
  for (const value of ['commit 0', 'abort 1', 'commit 2']) {
    const transaction = await client.beginTransaction();
    await transaction.send({ messages: [{ topic, value }] });
    await (value.startsWith('commit') ? transaction.commit() : transaction.abort());
  }
  await client.close();
  const committed = await everything(topic, 2, FetchIsolationLevels.READ_COMMITTED);
  equal(values(committed), ['commit 0', 'commit 2'], 'read committed');
  equal((await everything(topic, 3)).length, 3, 'records read uncommitted');
});

skip(
  'transactions/several aborted ones of a producer in one answer',
  'this client remembers only the last of them, and shows the others',
);

await check('transactions/offsets go with them', async () => {
  const source = await make('from');
  const group = own('mover');
  await send(numbers(5).map((value) => ({ topic: source, value })));
  const reader = await member(group, source);
  await until(
    () => reader.read.length >= 5,
    () => `five records; ${reader.read.length} came`,
  );
  const client = transactional('mover');
  const committed = async () => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
    return found?.topics[0]?.partitions.map(({ committedOffset }) => Number(committedOffset)) ?? [];
  };
  for (const end of ['abort', 'commit']) {
    const transaction = await client.beginTransaction();
    await transaction.addConsumer(reader.client);
    await transaction.addOffset(reader.read[end === 'abort' ? 3 : 4]!);
    await (end === 'abort' ? transaction.abort() : transaction.commit());
    if (end === 'abort') equal(await committed(), [], 'the aborted offset');
  }
  await until(
    async () => (await committed())[0] === 5,
    () => 'the committed offset',
  );
  await client.close();
  await reader.leave();
});

await check('transactions/a zombie is fenced', async () => {
  const topic = await make('fenced');
  const zombie = transactional('fenced');
  const late = await zombie.beginTransaction();
  await late.send({ messages: [{ topic, value: 'of the zombie' }] });
  const heir = transactional('fenced');
  const transaction = await heir.beginTransaction();
  await refused('EPOCH', () => late.commit().catch((error) => Promise.reject(new Error(`EPOCH? ${reasons(error)}`))));
  await transaction.send({ messages: [{ topic, value: 'of the heir' }] });
  await transaction.commit();
  equal(values(await everything(topic, 1, FetchIsolationLevels.READ_COMMITTED)), ['of the heir'], 'what was read');
});

await check('times/offsets for times; earliest, latest and of the largest timestamp', async () => {
  const topic = await make('timed');
  const start = BigInt(Date.now() - 100_000);
  for (const second of [0n, 1n, 2n, 4n, 3n]) await send([{ topic, value: 'x', timestamp: start + 1000n * second }]);
  const at = async (timestamp: bigint) => {
    const [found] = await admin.listOffsets({
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }],
    });
    return Number(found?.partitions[0]?.offset);
  };
  equal([await at(start), await at(start + 1500n), await at(start + 9000n)], [0, 2, -1], 'offsets');
  const { EARLIEST, LATEST, MAX } = ListOffsetTimestamps;
  equal([await at(EARLIEST), await at(LATEST), await at(MAX)], [0, 5, 3], 'the named offsets');
});

judged();
