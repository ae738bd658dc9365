/** A judge: the command-line tools that come with Apache Kafka. Each run is a Java of its own, about a second long. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../peers/java.ts';
import { bootstrap, check, equal, judged, numbers, own, until } from './judge.ts';

const at = ['--bootstrap-server', bootstrap];

/** What the tool prints; throws when it fails. */
async function tool(name: string, args: readonly string[], input?: string): Promise<string> {
  const main = name.startsWith('kafka.') ? name : `org.apache.kafka.tools.${name}`;
  const { code, stdout, stderr } = await runTool(main, args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stdout}\n${stderr}`);
  return stdout;
}

async function refused(pattern: RegExp, call: () => Promise<unknown>): Promise<void> {
  const answer = await call().then(
    () => 'it was done',
    (error) => String(error),
  );
  contains(answer, pattern);
}

function contains(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`${pattern} is not in what was printed: ${text}`);
}

const lines = (text: string): string[] => text.split('\n').filter(Boolean);

const make = (topic: string, partitions: number, ...more: string[]) =>
  tool('TopicCommand', [...at, '--create', '--topic', topic, '--partitions', String(partitions), ...more]);

const produce = (topic: string, values: readonly string[], ...more: string[]) =>
  tool('ConsoleProducer', [...at, '--topic', topic, ...more], values.map((value) => `${value}\n`).join(''));

const consume = (topic: string, count: number, ...more: string[]) =>
  tool('consumer.ConsoleConsumer', [
    ...at,
    '--topic',
    topic,
    '--from-beginning',
    '--max-messages',
    String(count),
    '--timeout-ms',
    '20000',
    ...more,
  ]);

await check('admin/kafka-topics, create, describe, alter, list, delete', async () => {
  const topic = own('topics');
  await make(topic, 2, '--config', 'retention.ms=3600000');
  const described = await tool('TopicCommand', [...at, '--describe', '--topic', topic]);
  contains(described, /PartitionCount: 2\tReplicationFactor: 1\tConfigs: .*retention\.ms=3600000/);
  contains(described, /Partition: 1\tLeader: \d+\tReplicas: \d+\tIsr: \d+/);
  await refused(/TopicExistsException/, () => make(topic, 1));
  await refused(/InvalidReplicationFactorException/, () => make(own('three'), 1, '--replication-factor', '3'));
  await tool('TopicCommand', [...at, '--alter', '--topic', topic, '--partitions', '3']);
  contains(await tool('TopicCommand', [...at, '--describe', '--topic', topic]), /PartitionCount: 3/);
  equal(lines(await tool('TopicCommand', [...at, '--list'])).includes(topic), true, 'the topic is listed');
  await tool('TopicCommand', [...at, '--delete', '--topic', topic]);
  equal(lines(await tool('TopicCommand', [...at, '--list'])).includes(topic), false, 'the topic is listed');
});

await check('admin/kafka-configs, alter and describe', async () => {
  const topic = own('configs');
  await make(topic, 1);
  const about = ['--entity-type', 'topics', '--entity-name', topic];
  const configs = (...args: string[]) => tool('kafka.admin.ConfigCommand', [...at, ...about, ...args]);
  await configs('--alter', '--add-config', 'retention.ms=1000,cleanup.policy=compact');
  await until(
    async () => (await configs('--describe')).includes('cleanup.policy=compact'),
    () => 'cleanup.policy=compact',
  );
  const described = await configs('--describe');
  contains(described, /retention\.ms=1000/);
  contains(described, /cleanup\.policy=compact/);
  await configs('--alter', '--delete-config', 'retention.ms');
  await until(
    async () => !/retention\.ms=/.test(await configs('--describe')),
    () => 'retention.ms as by default',
  );
});

await check('produce/kafka-console-producer and -consumer, keys, headers, nulls', async () => {
  const topic = own('console');
  await make(topic, 1);
  const shape = ['parse.key=true', 'parse.headers=true', 'null.marker=NULL', 'key.separator=:', 'headers.delimiter=|'];
  await produce(topic, ['a:1,b:2|k:v', 'a:3|k:NULL'], ...shape.flatMap((one) => ['--reader-property', one]));
  const shown = ['print.key=true', 'print.headers=true', 'print.offset=true', 'print.partition=true'];
  const printed = await consume(topic, 2, ...shown.flatMap((one) => ['--formatter-property', one]));
  equal(
    lines(printed),
    ['Partition:0\tOffset:0\ta:1,b:2\tk\tv', 'Partition:0\tOffset:1\ta:3\tk\tnull'],
    'what was printed',
  );
});

await check('compression/gzip, snappy, lz4 and zstd in one topic', async () => {
  const topic = own('compressed');
  const sent = numbers(500).map((number) => `record ${number} ${'x'.repeat(50)}`);
  const codecs = ['gzip', 'snappy', 'lz4', 'zstd'];
  await make(topic, 1);
  for (const codec of codecs) await produce(topic, sent, '--compression-codec', codec);
  equal(
    lines(await consume(topic, 2000)),
    codecs.flatMap(() => sent),
    'what was read',
  );
});

await check('groups/kafka-consumer-groups and kafka-groups, list, describe, reset offsets, delete', async () => {
  const topic = own('grouped');
  const group = own('grouped');
  await make(topic, 1);
  await produce(topic, numbers(5));
  await consume(topic, 3, '--group', group, '--consumer-property', 'auto.offset.reset=earliest');
  const groups = (...args: string[]) => tool('consumer.group.ConsumerGroupCommand', [...at, ...args]);
  equal(lines(await groups('--list')).includes(group), true, 'the group is listed');
  contains(await tool('GroupsCommand', [...at, '--list']), new RegExp(`${group}\\s+Classic`));
  contains(await groups('--describe', '--group', group), new RegExp(`${topic}\\s+0\\s+3\\s+5\\s+2`));
  contains(await groups('--describe', '--group', group, '--state'), /Empty/);
  const reset = ['--reset-offsets', '--group', group, '--topic', topic, '--to-offset', '1', '--execute'];
  contains(await groups(...reset), new RegExp(`${topic}\\s+0\\s+1`));
  contains(await groups('--describe', '--group', group), new RegExp(`${topic}\\s+0\\s+1\\s+5\\s+4`));
  await groups('--delete-offsets', '--group', group, '--topic', topic);
  await groups('--delete', '--group', group);
  equal(lines(await groups('--list')).includes(group), false, 'the group is listed');
});

await check('times/kafka-get-offsets, earliest, latest, of the largest timestamp, of a time', async () => {
  const topic = own('offsets');
  await make(topic, 1);
  await produce(topic, numbers(3));
  const offset = async (time: string) =>
    (await tool('GetOffsetShell', [...at, '--topic', topic, '--time', time])).trim();
  equal(
    [await offset('earliest'), await offset('latest'), await offset('1')],
    [`${topic}:0:0`, `${topic}:0:3`, `${topic}:0:0`],
    'the offsets',
  );
  contains(await offset('max-timestamp'), new RegExp(`^${topic}:0:[012]$`));
});

await check('admin/kafka-delete-records, kafka-log-dirs', async () => {
  const topic = own('cut');
  await make(topic, 1);
  await produce(topic, numbers(5));
  const folder = mkdtempSync(join(tmpdir(), 'millrace-judge-'));
  const file = join(folder, 'offsets.json');
  writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 2 }] }));
  contains(await tool('DeleteRecordsCommand', [...at, '--offset-json-file', file]), /low_watermark: 2/);
  rmSync(folder, { recursive: true });
  equal(lines(await consume(topic, 3)), ['2', '3', '4'], 'what was read');
  const folders = await tool('LogDirsCommand', [...at, '--describe', '--topic-list', topic]);
  contains(folders, new RegExp(`"partition":"${topic}-0","size":[1-9]`));
});

await check('admin/kafka-cluster, kafka-broker-api-versions', async () => {
  contains(await tool('ClusterTool', ['cluster-id', ...at]), /Cluster ID: \S+/);
  contains(await tool('ClusterTool', ['list-endpoints', ...at]), new RegExp(bootstrap.split(':')[1] ?? ''));
  const versions = await tool('BrokerApiVersionsCommand', at);
  contains(versions, /Produce\(0\): 0 to \d+ \[usable: \d+\]/);
  contains(versions, /Fetch\(1\): \d+ to \d+ \[usable: \d+\]/);
});

await check('idempotence/kafka-verifiable-producer and -consumer', async () => {
  const topic = own('verified');
  await make(topic, 2);
  const sent = await tool('VerifiableProducer', [...at, '--topic', topic, '--max-messages', '500', '--acks', '-1']);
  contains(sent, /"name":"tool_data","sent":500,"acked":500/);
  const group = ['--group-id', own('verified'), '--max-messages', '500', '--reset-policy', 'earliest'];
  const read = await tool('VerifiableConsumer', [...at, '--topic', topic, ...group, '--verbose']);
  equal(lines(read).filter((line) => line.includes('"record_data"')).length, 500, 'the number of records read');
});

await check('transactions/kafka-producer-perf-test with transactions; kafka-transactions', async () => {
  const topic = own('performed');
  await make(topic, 1);
  const sized = ['--num-records', '2000', '--record-size', '100', '--throughput', '-1'];
  const performed = await tool('ProducerPerformance', [
    ...['--topic', topic, ...sized, '--transactional-id', own('performed'), '--transaction-duration-ms', '50'],
    ...['--producer-props', `bootstrap.servers=${bootstrap}`],
  ]);
  contains(performed, /2000 records sent/);
  const read = ['--messages', '2000', '--topic', topic, '--group', own('performed')];
  contains(await tool('ConsumerPerformance', [...at, ...read]), /, 2000, /);
  contains(await tool('TransactionsCommand', [...at, 'list']), new RegExp(own('performed')));
  const one = await tool('TransactionsCommand', [...at, 'describe', '--transactional-id', own('performed')]);
  contains(one, /CompleteCommit/);
  const producers = ['describe-producers', '--topic', topic, '--partition', '0'];
  contains(await tool('TransactionsCommand', [...at, ...producers]), /ProducerId/);
});

judged();
