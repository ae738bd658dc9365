import { LogError } from '../errors.ts';
import type { TopicConfig } from './api.ts';

/**
 * The one table of topic settings: Kafka's names, types, defaults and ranges. A setting either acts, or is taken at any
 * valid value because it asks for nothing that would be missed on one machine, or may only be what it is already: what
 * we cannot keep is refused with the reason. The reference page is made from it.
 */
export type SettingType = 'boolean' | 'string' | 'int' | 'long' | 'double' | 'list';
export type SettingName = keyof TopicConfig;

export interface Setting {
  readonly type: SettingType;
  readonly default: TopicConfig[SettingName];
  readonly least?: number;
  readonly most?: number;
  readonly oneOf?: readonly (string | boolean)[];
  /** Why it cannot be anything but its default here. */
  readonly fixed?: string;
  /** Whether anything here follows it. */
  readonly acts: boolean;
  readonly doc: string;
}

/** Kafka's Long.MAX_VALUE, "without limit", is beyond what a number holds exactly: this stands for it. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const UNLIMITED_TEXT = '9223372036854775807';
const INT_MAX = 2 ** 31 - 1;

const remote = 'there is no remote storage here';
const levels = 'The level for a compression.type that has no effect here.';

export const topicSettings: { readonly [name in SettingName]: Setting } = {
  'cleanup.policy': {
    type: 'list',
    default: 'delete',
    oneOf: ['delete', 'compact', 'compact,delete', 'delete,compact'],
    acts: true,
    doc: 'What happens to old records: delete lets whole segments go by age and size, compact keeps the latest record of each key, both do both.',
  },
  'compression.gzip.level': { type: 'int', default: -1, least: -1, most: 9, acts: false, doc: levels },
  'compression.lz4.level': { type: 'int', default: 9, least: 1, most: 17, acts: false, doc: levels },
  'compression.type': {
    type: 'string',
    default: 'producer',
    oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    acts: false,
    doc: 'Batches are kept compressed as the producer sent them, whatever this says: readers cannot tell. Set the compression in the producer.',
  },
  'compression.zstd.level': { type: 'int', default: 3, least: -131072, most: 22, acts: false, doc: levels },
  'delete.retention.ms': {
    type: 'long',
    default: 86_400_000,
    least: 0,
    acts: true,
    doc: 'How long compaction keeps a record without a value (a tombstone), so that readers can learn of the deletion.',
  },
  'file.delete.delay.ms': {
    type: 'long',
    default: 60_000,
    least: 0,
    acts: false,
    doc: 'Files go as soon as it is durable that nobody needs them.',
  },
  'flush.messages': {
    type: 'long',
    default: UNLIMITED,
    least: 1,
    acts: false,
    doc: 'Whether records are synced before they are acknowledged is for the whole broker to say (fsync, on by default).',
  },
  'flush.ms': {
    type: 'long',
    default: UNLIMITED,
    least: 0,
    acts: false,
    doc: 'Whether records are synced before they are acknowledged is for the whole broker to say (fsync, on by default).',
  },
  'follower.replication.throttled.replicas': {
    type: 'list',
    default: '',
    acts: false,
    doc: 'There is nothing to replicate on one broker.',
  },
  'index.interval.bytes': {
    type: 'int',
    default: 4096,
    least: 0,
    acts: false,
    doc: 'There is one index entry for every 4096 bytes.',
  },
  'leader.replication.throttled.replicas': {
    type: 'list',
    default: '',
    acts: false,
    doc: 'There is nothing to replicate on one broker.',
  },
  'local.retention.bytes': {
    type: 'long',
    default: -2,
    least: -2,
    acts: false,
    doc: 'Counts with remote storage only, which is not there.',
  },
  'local.retention.ms': {
    type: 'long',
    default: -2,
    least: -2,
    acts: false,
    doc: 'Counts with remote storage only, which is not there.',
  },
  'max.compaction.lag.ms': {
    type: 'long',
    default: UNLIMITED,
    least: 1,
    acts: true,
    doc: 'A record older than this is compacted whatever min.cleanable.dirty.ratio says.',
  },
  'max.message.bytes': {
    type: 'int',
    default: 1_048_588,
    least: 0,
    acts: true,
    doc: 'The largest record batch, as it arrives.',
  },
  'message.timestamp.after.max.ms': {
    type: 'long',
    default: 3_600_000,
    least: 0,
    acts: true,
    doc: "How far a record's timestamp may be ahead of the broker's clock.",
  },
  'message.timestamp.before.max.ms': {
    type: 'long',
    default: UNLIMITED,
    least: 0,
    acts: true,
    doc: "How far a record's timestamp may be behind the broker's clock.",
  },
  'message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    oneOf: ['CreateTime', 'LogAppendTime'],
    acts: true,
    doc: 'Whether records keep the timestamp that the producer gave, or get the time at which they were appended.',
  },
  'min.cleanable.dirty.ratio': {
    type: 'double',
    default: 0.5,
    least: 0,
    most: 1,
    acts: true,
    doc: 'The share of a partition, in bytes, that must be new since the last compaction for the next.',
  },
  'min.compaction.lag.ms': {
    type: 'long',
    default: 0,
    least: 0,
    acts: true,
    doc: 'A record younger than this is not compacted.',
  },
  'min.insync.replicas': {
    type: 'int',
    default: 1,
    least: 1,
    most: INT_MAX,
    fixed: 'there is one replica, so with more no record could be acknowledged; for more replicas use Apache Kafka',
    acts: true,
    doc: 'One broker is one replica, and acks=all waits for it.',
  },
  preallocate: { type: 'boolean', default: false, acts: false, doc: 'Segments grow as they are written.' },
  'remote.log.copy.disable': { type: 'boolean', default: false, acts: false, doc: 'There is no remote storage.' },
  'remote.log.delete.on.disable': { type: 'boolean', default: false, acts: false, doc: 'There is no remote storage.' },
  'remote.storage.enable': {
    type: 'boolean',
    default: false,
    fixed: remote,
    acts: true,
    doc: 'There is no remote storage.',
  },
  'retention.bytes': {
    type: 'long',
    default: -1,
    least: -1,
    acts: true,
    doc: 'The size of a partition above which its oldest segments go, with cleanup.policy delete; -1 is never.',
  },
  'retention.ms': {
    type: 'long',
    default: 604_800_000,
    least: -1,
    acts: true,
    doc: 'The age at which records may go, with cleanup.policy delete; -1 is never.',
  },
  'segment.bytes': {
    type: 'int',
    default: 1_073_741_824,
    least: 14,
    acts: true,
    doc: 'The size at which a new segment begins. Retention and compaction take whole segments, never the last.',
  },
  'segment.index.bytes': {
    type: 'int',
    default: 10_485_760,
    least: 4,
    acts: false,
    doc: 'An index grows with its segment.',
  },
  'segment.jitter.ms': {
    type: 'long',
    default: 0,
    least: 0,
    acts: false,
    doc: 'One machine has no need to spread the ends of its segments.',
  },
  'segment.ms': {
    type: 'long',
    default: 604_800_000,
    least: 1,
    acts: true,
    doc: 'The age of its first record at which a segment ends with the next append.',
  },
  'unclean.leader.election.enable': {
    type: 'boolean',
    default: false,
    acts: false,
    doc: 'One replica elects nobody.',
  },
};

export const settingNames = Object.keys(topicSettings) as readonly SettingName[];

export const defaultConfig: TopicConfig = Object.fromEntries(
  settingNames.map((name) => [name, topicSettings[name].default]),
) as unknown as TopicConfig;

export function isSetting(name: string): name is SettingName {
  return Object.hasOwn(topicSettings, name);
}

/** The settings with the changes applied; throws INVALID_CONFIG that names the setting, the value and what is allowed. */
export function configWith(base: TopicConfig, changes: Partial<TopicConfig>): TopicConfig {
  for (const [name, value] of Object.entries(changes)) {
    if (!isSetting(name)) throw unknownSetting(name);
    check(name, topicSettings[name], value);
  }
  const config = { ...base, ...changes };
  if (config['min.compaction.lag.ms'] <= config['max.compaction.lag.ms']) return config;
  throw invalid(
    `min.compaction.lag.ms is ${config['min.compaction.lag.ms']}, above max.compaction.lag.ms, which is ${config['max.compaction.lag.ms']}`,
  );
}

/** A setting's value from Kafka's text; throws INVALID_CONFIG. */
export function parseSetting(name: string, text: string): Partial<TopicConfig> {
  if (!isSetting(name)) throw unknownSetting(name);
  const value = typedValue(topicSettings[name].type, text.trim());
  check(name, topicSettings[name], value);
  return { [name]: value };
}

/** A setting's value as Kafka writes it. */
export function settingText(name: SettingName, value: TopicConfig[SettingName]): string {
  return topicSettings[name].type === 'long' && value === UNLIMITED ? UNLIMITED_TEXT : String(value);
}

export function compacts(config: TopicConfig): boolean {
  return config['cleanup.policy'] !== 'delete';
}

/** The age of its first record at which a segment ends: a compacted one in time for max.compaction.lag.ms. */
export function segmentAge(config: TopicConfig): number {
  return compacts(config) ? Math.min(config['segment.ms'], config['max.compaction.lag.ms']) : config['segment.ms'];
}

export function deletes(config: TopicConfig): boolean {
  return config['cleanup.policy'] !== 'compact';
}

/** What cannot be read as its type stays text, and `check` says what is wrong with it. */
function typedValue(type: SettingType, text: string): unknown {
  if (type === 'boolean') return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : text;
  if (type === 'double') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
  if (type === 'list') return [...new Set(text.split(',').map((item) => item.trim()))].join(',');
  if (type === 'string' || !/^[+-]?\d+$/.test(text)) return text;
  return type === 'long' && BigInt(text) <= BigInt(UNLIMITED_TEXT) ? Math.min(Number(text), UNLIMITED) : Number(text);
}

function check(name: SettingName, setting: Setting, value: unknown): void {
  if (!isAllowed(setting, value))
    throw invalid(`${name} is ${JSON.stringify(value)}; it must be ${allowedText(setting)}`);
  if (setting.fixed === undefined || value === setting.default) return;
  throw invalid(`${name} is ${JSON.stringify(value)}; here it can only be ${setting.default}: ${setting.fixed}`);
}

function isAllowed(setting: Setting, value: unknown): boolean {
  const { type, oneOf } = setting;
  if (type === 'boolean') return typeof value === 'boolean';
  if (type === 'string' || type === 'list') {
    // What is fixed says why rather than what.
    return typeof value === 'string' && (oneOf === undefined || setting.fixed !== undefined || oneOf.includes(value));
  }
  if (typeof value !== 'number' || Number.isNaN(value)) return false;
  if (type !== 'double' && !Number.isSafeInteger(value)) return false;
  const [least, most] = rangeOf(setting);
  return value >= least && value <= most;
}

function rangeOf({ type, least, most }: Setting): readonly [number, number] {
  return [least ?? Number.MIN_SAFE_INTEGER, most ?? (type === 'int' ? INT_MAX : UNLIMITED)];
}

/** What a setting may be, in words. */
export function allowedText(setting: Setting): string {
  const { type, oneOf } = setting;
  if (type === 'boolean') return 'true or false';
  if (type === 'list' && oneOf === undefined) return 'a list';
  if (oneOf !== undefined) return oneOf.map((one) => `'${one}'`).join(' or ');
  const [least, most] = rangeOf(setting);
  return `${type === 'double' ? 'a number' : 'an integer'} from ${least}${most === UNLIMITED ? '' : ` to ${most}`}`;
}

function unknownSetting(name: string): LogError {
  return invalid(`'${name}' is not a topic setting; there are ${settingNames.join(', ')}`);
}

function invalid(what: string): LogError {
  return new LogError('INVALID_CONFIG', what);
}
