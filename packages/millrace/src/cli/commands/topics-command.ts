/** `millrace topics …`. */
import type { TopicDetails } from '../api.ts';
import { readConfigPairs } from '../config.ts';
import { byteText, counted, tableLines } from '../table.ts';
import { print, printJson } from '../terminal.ts';
import type { DataOptions } from './with-data.ts';
import { withData } from './with-data.ts';

export async function listTopics(options: DataOptions): Promise<void> {
  const topics = await withData(options, (access) => access.call('topics.list', {}));
  if (options.json) return printJson(topics);
  if (topics.length === 0)
    return print("no topics yet: a topology makes those it uses, 'millrace topics create' others");
  const head = [{ title: 'TOPIC' }, { title: 'PARTITIONS', right: true }, { title: 'RECORDS', right: true }];
  const rows = topics.map((t) => [t.topic, t.partitions, t.records, byteText(t.bytes)]);
  print(...tableLines([...head, { title: 'SIZE', right: true }], rows));
}

export async function describeTopic(topic: string, options: DataOptions & { group?: string }): Promise<void> {
  const { group } = options;
  const params = { topic, ...(group === undefined ? {} : { group }) };
  const details = await withData(options, (access) => access.call('topics.describe', params));
  if (options.json) printJson(details);
  else print(...detailLines(details));
}

export async function createTopic(
  topic: string,
  options: DataOptions & { partitions: number; set?: readonly string[] },
): Promise<void> {
  const params = { topic, partitions: options.partitions, config: readConfigPairs(options.set) };
  const made = await withData(options, (access) => access.call('topics.create', params), true);
  if (options.json) printJson(made);
  else print(`made topic ${topic} with ${counted(made.partitions.length, 'partition')}`);
}

export async function alterTopic(topic: string, options: DataOptions & { set?: readonly string[] }): Promise<void> {
  const params = { topic, config: readConfigPairs(options.set) };
  const altered = await withData(options, (access) => access.call('topics.alter', params));
  if (options.json) printJson(altered);
  else print(...configLines(altered));
}

export async function deleteTopic(topic: string, options: DataOptions): Promise<void> {
  await withData(options, (access) => access.call('topics.delete', { topic }));
  if (options.json) printJson({ topic, deleted: true });
  else print(`deleted topic ${topic}`);
}

function detailLines(details: TopicDetails): string[] {
  const head = ['PARTITION', 'EARLIEST', 'LATEST', 'SIZE'].map((title) => ({ title, right: true }));
  const rows = details.partitions.map((p) => [p.partition, p.earliest, p.latest, byteText(p.bytes)]);
  const broken = details.partitions.filter((p) => p.error !== undefined);
  const groupHead = [
    { title: 'GROUP' },
    ...['PARTITION', 'COMMITTED', 'LATEST', 'LAG'].map((title) => ({ title, right: true })),
  ];
  const groupRows = details.groups.flatMap(({ group, lag }) =>
    lag.map((l) => [group, l.partition, l.committed, l.latest, l.lag]),
  );
  return [
    `topic ${details.topic} (${details.id})`,
    '',
    ...tableLines(head, rows),
    ...broken.map((p) => `partition ${p.partition} refuses writes: ${p.error}`),
    '',
    ...configLines(details),
    ...(groupRows.length > 0 ? ['', ...tableLines(groupHead, groupRows)] : []),
  ];
}

function configLines({ config }: TopicDetails): string[] {
  const rows = Object.entries(config).map(([name, value]) => [name, String(value)]);
  return tableLines([{ title: 'SETTING' }, { title: 'VALUE' }], rows);
}
