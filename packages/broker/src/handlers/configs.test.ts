import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadOf } from '../protocol/message.ts';
import { DescribeLogDirs, DescribeTopicPartitions } from '../protocol/messages/cluster.ts';
import { AlterConfigs, DescribeConfigs, IncrementalAlterConfigs } from '../protocol/messages/topics.ts';
import { ownDirectory, startBroker } from '../server/broker.fixture.ts';
import { Broker } from '../server/broker.ts';

type Page = ReadOf<typeof DescribeTopicPartitions.response.shape>;
type Cursor = NonNullable<Page['nextCursor']>;

const TOPIC = 2;
const BROKER = 4;

const resource = (resourceName: string, more: object = {}) => ({
  resourceType: TOPIC,
  resourceName,
  configurationKeys: null,
  configs: [],
  ...more,
});

test('settings are described with their value, source, type, synonyms and documentation', async (t) => {
  const { client, broker } = await startBroker(t, { settings: { 'num.partitions': 7 } });
  await broker.log.createTopic('t', { config: { 'retention.ms': 5 } });
  const ask = (resources: ReturnType<typeof resource>[], more: object = {}, version = 4) =>
    client.call(DescribeConfigs, version, { resources, includeSynonyms: true, includeDocumentation: true, ...more });
  const keys = { configurationKeys: ['retention.ms', 'flush.ms', 'none'] };
  const { results } = await ask([
    resource('t', keys),
    resource('t'),
    resource('none'),
    resource('x', { resourceType: 32 }),
  ]);
  assert.deepEqual(
    results.map(({ errorCode, configs }) => [errorCode, configs.length > 0]),
    [
      [0, true],
      [0, true],
      [3, false],
      [42, false],
    ],
  );
  const [flush, retention] = results[0]!.configs;
  assert.deepEqual(
    [flush!.name, flush!.value, flush!.configSource, flush!.configType, flush!.synonyms.length],
    ['flush.ms', '9223372036854775807', 5, 5, 1],
  );
  assert.deepEqual(
    [retention!.value, retention!.configSource, retention!.synonyms],
    [
      '5',
      1,
      [
        { name: 'retention.ms', value: '5', source: 1 },
        { name: 'retention.ms', value: '604800000', source: 5 },
      ],
    ],
  );
  assert.match(retention!.documentation!, /age/);
  const plain = await ask([resource('t', keys)], { includeSynonyms: false, includeDocumentation: false });
  assert.deepEqual([plain.results[0]!.configs[1]!.synonyms, plain.results[0]!.configs[1]!.documentation], [[], null]);
  const ofBroker = (resourceName: string) => resource(resourceName, { resourceType: BROKER });
  const nodes = await ask([ofBroker('0'), ofBroker('1'), ofBroker('')]);
  const own = nodes.results.find(({ configs }) => configs.length > 0)!;
  const partitions = own.configs.find(({ name }) => name === 'num.partitions')!;
  assert.deepEqual([partitions.value, partitions.readOnly, partitions.configSource], ['7', true, 4]);
  assert.deepEqual(nodes.results.map(({ errorCode }) => errorCode).sort(), [0, 0, 42]);
  await ask([resource('t')], {}, 1);
});

test('single settings change durably, each resource on its own', async (t) => {
  const directory = ownDirectory(t);
  const { client, broker } = await startBroker(t, { directory });
  await broker.log.createTopic('t', { config: { 'retention.ms': 5, 'segment.bytes': 100 } });
  const alter = async (configs: [string, number, string | null][], more: object = {}, validateOnly = false) => {
    const resources = [
      {
        ...resource('t'),
        configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })),
        ...more,
      },
    ];
    const { responses } = await client.call(IncrementalAlterConfigs, 1, { resources, validateOnly });
    return responses[0]!.errorCode;
  };
  const set = () => broker.log.describeTopic('t').config;
  assert.equal(
    await alter(
      [
        ['retention.ms', 0, '9'],
        ['segment.bytes', 1, null],
      ],
      {},
      true,
    ),
    0,
  );
  assert.equal(set()['retention.ms'], 5, 'only tried');
  assert.equal(
    await alter([
      ['retention.ms', 0, '9'],
      ['segment.bytes', 1, null],
    ]),
    0,
  );
  assert.deepEqual([set()['retention.ms'], set()['segment.bytes']], [9, 1_073_741_824]);
  assert.equal(await alter([['cleanup.policy', 2, 'compact']]), 0);
  assert.equal(set()['cleanup.policy'], 'delete,compact');
  assert.equal(await alter([['cleanup.policy', 3, 'delete']]), 0);
  assert.equal(set()['cleanup.policy'], 'compact');
  assert.equal(await alter([['cleanup.policy', 3, 'compact']]), 40, 'none is left');
  assert.equal(await alter([['retention.ms', 2, '1']]), 40, 'no list');
  assert.equal(await alter([['retention.ms', 7, '1']]), 42);
  assert.equal(await alter([['retention.ms', 0, null]]), 42);
  assert.equal(
    await alter([
      ['retention.ms', 0, '1'],
      ['retention.ms', 1, null],
    ]),
    42,
  );
  assert.equal(await alter([['none', 1, null]]), 40);
  assert.equal(await alter([['min.insync.replicas', 0, '2']]), 40);
  assert.equal(
    await alter([
      ['min.compaction.lag.ms', 0, '6'],
      ['max.compaction.lag.ms', 0, '5'],
    ]),
    40,
  );
  assert.equal(await alter([['retention.ms', 0, '1']], { resourceName: 'none' }), 3);
  assert.equal(await alter([['num.partitions', 0, '1']], { resourceType: BROKER, resourceName: '' }), 42);
  assert.equal(set()['retention.ms'], 9);
  await client.close();
  await broker.close();
  const again = await Broker.start({ directory });
  assert.deepEqual(
    [again.log.describeTopic('t').config['retention.ms'], again.log.describeTopic('t').config['cleanup.policy']],
    [9, 'compact'],
  );
  await again.close();
});

test('the old request replaces everything that was set', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t', { config: { 'retention.ms': 5 } });
  const alter = async (name: string, value: string | null, validateOnly = false) => {
    const resources = [{ ...resource('t'), configs: [{ name, value }] }];
    return (await client.call(AlterConfigs, 2, { resources, validateOnly })).responses[0]!.errorCode;
  };
  const set = () => [
    broker.log.describeTopic('t').config['retention.ms'],
    broker.log.describeTopic('t').config['segment.bytes'],
  ];
  assert.equal(await alter('segment.bytes', '100', true), 0);
  assert.equal(await alter('segment.bytes', 'x'), 40);
  assert.equal(await alter('segment.bytes', null), 42);
  assert.deepEqual(set(), [5, 1_073_741_824]);
  assert.equal(await alter('segment.bytes', '100'), 0);
  assert.deepEqual(set(), [604_800_000, 100]);
});

test('the data directory says what each partition takes', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('a', { partitions: 2 });
  await broker.log.createTopic('b');
  await broker.log.producer().send({ topic: 'a', partition: 1, value: Buffer.alloc(1000) });
  const ask = async (topics: { topic: string; partitions: number[] }[] | null) => {
    const { results } = await client.call(DescribeLogDirs, 4, { topics });
    return results[0]!.topics.map(({ name, partitions }) => [
      name,
      ...partitions.map((one) => one.partitionSize > 1000),
    ]);
  };
  assert.deepEqual(await ask(null), [
    ['a', false, true],
    ['b', false],
  ]);
  assert.deepEqual(
    await ask([
      { topic: 'a', partitions: [1, 9] },
      { topic: 'none', partitions: [0] },
    ]),
    [['a', true]],
  );
});

test('topics are described in pages of so many partitions, and none is missed or told twice', async (t) => {
  const { client, broker } = await startBroker(t);
  for (const [name, partitions] of [
    ['a', 3],
    ['b', 1],
    ['c', 2],
  ] as const)
    await broker.log.createTopic(name, { partitions });
  for (const limit of [1, 2, 3, 4, 5, 6, 100]) {
    const found: string[] = [];
    let cursor: Cursor | null = null;
    do {
      const page: Page = await client.call(DescribeTopicPartitions, 0, {
        topics: [],
        responsePartitionLimit: limit,
        cursor,
      });
      const told = page.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex }) => `${name}${partitionIndex}`),
      );
      assert.ok(told.length > 0 && told.length <= limit);
      found.push(...told);
      cursor = page.nextCursor;
    } while (cursor !== null);
    assert.deepEqual(found, ['a0', 'a1', 'a2', 'b0', 'c0', 'c1'], `${limit}`);
  }
  const some = await client.call(DescribeTopicPartitions, 0, {
    topics: [{ name: 'none' }, { name: 'b' }],
    responsePartitionLimit: 10,
    cursor: null,
  });
  assert.deepEqual(
    some.topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['b', 0],
      ['none', 3],
    ],
  );
});

test('a request whose answer would be a hundred times as large is refused: ten thousand at once are the most', async (t) => {
  const { client, broker } = await startBroker(t);
  await broker.log.createTopic('t');
  const ask = (many: number) =>
    client.call(DescribeConfigs, 4, {
      resources: Array.from({ length: many }, () => resource('t')),
      includeSynonyms: false,
      includeDocumentation: false,
    });
  const { results } = await ask(10_001);
  assert.deepEqual([results.length, results[0]!.errorCode, results[0]!.configs], [10_001, 42, []]);
  assert.match(results[0]!.errorMessage!, /10001 resources at once: ask for 10000 at most/);
  assert.equal((await ask(2)).results[1]!.errorCode, 0);
});
