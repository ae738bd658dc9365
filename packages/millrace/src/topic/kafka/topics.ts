/** Topics at the brokers: found or made, their settings, and where their partitions begin and end. */
import type { TopicConfig } from '@millrace/broker';
import { ConfigResourceTypes } from '@platformatic/kafka';
import { MillraceError } from '../../errors.ts';
import type { DeclaredTopic, StartFrom } from '../topic-log.ts';
import type { Cluster } from './cluster.ts';
import { Again, check, errorName, isStale, passes } from './failure.ts';
import type {
  CreateTopicsRequest,
  CreateTopicsResponse,
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  ListOffsetsRequest,
  ListOffsetsResponse,
} from './wire.ts';

/** As many replicas as the brokers' own setting says. */
const DEFAULT_REPLICATION = -1;
const CREATE_WITHIN_MS = 15_000;
const TOPIC_RESOURCE = ConfigResourceTypes.TOPIC;
/** All that the brokers have safe counts. */
export const READ_UNCOMMITTED = 0;
/** Only what is committed counts: the end of a partition is where its oldest open transaction starts. */
export const READ_COMMITTED = 1;
const LATEST = -1n;
const EARLIEST = -2n;

/** The number of partitions and the settings of the topic, which is made if it is not there. */
export async function ensureTopic(cluster: Cluster, declared: DeclaredTopic) {
  const { name } = declared;
  return cluster.patiently(`to make topic '${name}'`, async () => {
    let place = await cluster.find(name);
    if (!place) {
      await createTopic(cluster, declared);
      place = await cluster.find(name);
    }
    if (!place) throw new Again(`topic '${name}' was made, and the brokers do not know it yet`);
    const without = place.leaders.findIndex((leader) => leader < 0);
    if (without >= 0) throw new Again(`topic '${name}' partition ${without} has no leader`);
    return { partitions: place.leaders.length, config: await configOf(cluster, name) };
  });
}

async function createTopic(cluster: Cluster, { name, partitions = 1, config = {} }: DeclaredTopic): Promise<void> {
  const configs = Object.entries(config).map(([key, value]) => ({ name: key, value: String(value) }));
  const topic = { name, numPartitions: partitions, replicationFactor: DEFAULT_REPLICATION, assignments: [], configs };
  const response = await cluster.ask<CreateTopicsRequest, CreateTopicsResponse>(undefined, 'CreateTopics', [
    [topic],
    CREATE_WITHIN_MS,
    false,
  ]);
  for (const { errorCode, errorMessage } of response.topics) {
    // Somebody else was faster, or a request whose answer was lost.
    if (errorCode === 0 || errorName(errorCode) === 'TOPIC_ALREADY_EXISTS') continue;
    const why = `${errorName(errorCode)}${errorMessage ? `: ${errorMessage}` : ''}`;
    if (passes(errorCode)) throw new Again(why);
    throw new MillraceError('MR_TOPIC_CREATE', [name, why]);
  }
}

/** As far as the brokers tell: who may not ask gets none. */
async function configOf(cluster: Cluster, name: string): Promise<Partial<TopicConfig>> {
  // All settings, which the field's type does not foresee.
  const resource = { resourceType: TOPIC_RESOURCE, resourceName: name, configurationKeys: null as never };
  const args: DescribeConfigsRequest = [[resource], false, false];
  const response = await cluster.ask<DescribeConfigsRequest, DescribeConfigsResponse>(
    undefined,
    'DescribeConfigs',
    args,
  );
  const [result] = response.results;
  if (!result || errorName(result.errorCode) === 'TOPIC_AUTHORIZATION_FAILED') return {};
  // Right after its creation a broker may know a topic's partitions, and not yet its settings.
  if (isStale(result.errorCode)) throw new Again(`the settings of topic '${name}': ${errorName(result.errorCode)}`);
  check(result.errorCode, `to tell the settings of topic '${name}'`, result.errorMessage);
  const settings = result.configs.map(({ name: key, value }) => [key, settingOf(value)]);
  return Object.fromEntries(settings) as Partial<TopicConfig>;
}

function settingOf(text: string | null | undefined): string | number | boolean | undefined {
  if (text === null || text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** The offset that a start means in each partition of a topic. */
export function offsets(cluster: Cluster, topic: string, at: StartFrom): Promise<readonly number[]> {
  return cluster.patiently(`to tell the offsets of topic '${topic}'`, async () => {
    const { leaders } = await cluster.place(topic);
    const all = leaders.map((_, partition) => partition);
    const found = await list(cluster, topic, all, timestampOf(at));
    const later = all.filter((partition) => found.get(partition) === -1);
    const ends = later.length > 0 ? await list(cluster, topic, later, LATEST) : found;
    return all.map((partition) => (later.includes(partition) ? ends : found).get(partition)!);
  });
}

/** Where one partition begins and ends. */
export async function range(cluster: Cluster, topic: string, partition: number, isolation = READ_COMMITTED) {
  const earliest = (await list(cluster, topic, [partition], EARLIEST, isolation)).get(partition)!;
  const latest = (await list(cluster, topic, [partition], LATEST, isolation)).get(partition)!;
  return { earliest, latest };
}

function timestampOf(at: StartFrom): bigint {
  if (at === 'earliest') return EARLIEST;
  return at === 'latest' ? LATEST : BigInt(Math.max(0, Math.ceil(at.time)));
}

async function list(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  timestamp: bigint,
  isolation = READ_COMMITTED,
) {
  const { leaders } = await cluster.place(topic);
  const found = new Map<number, number>();
  const byLeader = Map.groupBy(partitions, (partition) => leaders[partition] ?? -1);
  await Promise.all(
    [...byLeader].map(async ([leader, of]) => {
      if (leader < 0) throw stale(cluster, topic, `partition ${of[0]} has no leader`);
      const wanted = of.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }));
      const args: ListOffsetsRequest = [-1, isolation, [{ name: topic, partitions: wanted }]] as never;
      const response = await cluster
        .ask<ListOffsetsRequest, ListOffsetsResponse>(leader, 'ListOffsets', args)
        .catch((error) => {
          cluster.forget(topic);
          throw error;
        });
      for (const { partitionIndex, errorCode, offset } of response.topics.flatMap((one) => one.partitions)) {
        if (isStale(errorCode)) throw stale(cluster, topic, `partition ${partitionIndex}: ${errorName(errorCode)}`);
        check(errorCode, `to tell the offsets of topic '${topic}' partition ${partitionIndex}`);
        found.set(partitionIndex, Number(offset));
      }
    }),
  );
  const missing = partitions.find((partition) => !found.has(partition));
  if (missing !== undefined) throw stale(cluster, topic, `no answer for partition ${missing}`);
  return found;
}

function stale(cluster: Cluster, topic: string, what: string): Again {
  cluster.forget(topic);
  return new Again(`topic '${topic}' ${what}`);
}
