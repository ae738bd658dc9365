import { LogError } from '../errors.ts';

/**
 * What can be set on the broker, by Kafka's names and with Kafka's meaning. Defaults are Kafka's, but for the initial
 * rebalance delay: Kafka's three seconds would make every first poll of a test wait. A tenth of one is hardly felt, and
 * spares members that start together, in one process or by one script, a rebalance each.
 */
export interface BrokerSettings {
  /** Makes a topic when a client asks for one that is not there. */
  readonly 'auto.create.topics.enable': boolean;
  /** Partitions of a topic that is made without saying how many. */
  readonly 'num.partitions': number;
  /** How long the first members of an empty group wait for others, in ms, and once more whenever another comes. */
  readonly 'group.initial.rebalance.delay.ms': number;
  readonly 'group.min.session.timeout.ms': number;
  readonly 'group.max.session.timeout.ms': number;
  /** Members of one group. */
  readonly 'group.max.size': number;
  /** How long offsets of a group without members are kept, in minutes. */
  readonly 'offsets.retention.minutes': number;
  readonly 'transaction.max.timeout.ms': number;
  readonly 'transactional.id.expiration.ms': number;
  /** How long an idle producer's sequence numbers are remembered, in ms; of a log that is open already, as it was opened. */
  readonly 'producer.id.expiration.ms': number;
  /** The largest request, in bytes. */
  readonly 'socket.request.max.bytes': number;
  /** Bytes of requests that have arrived, in part or whole, and are not yet answered, over all connections; reading stops there. */
  readonly 'queued.max.request.bytes': number;
  readonly 'max.connections': number;
  /** A connection that says nothing for this long is closed, in ms. */
  readonly 'connections.max.idle.ms': number;
}

export const defaultSettings: BrokerSettings = {
  'auto.create.topics.enable': true,
  'num.partitions': 1,
  'group.initial.rebalance.delay.ms': 100,
  'group.min.session.timeout.ms': 6_000,
  'group.max.session.timeout.ms': 1_800_000,
  'group.max.size': 2 ** 31 - 1,
  'offsets.retention.minutes': 10_080,
  'transaction.max.timeout.ms': 900_000,
  'transactional.id.expiration.ms': 604_800_000,
  'producer.id.expiration.ms': 86_400_000,
  'socket.request.max.bytes': 104_857_600,
  'queued.max.request.bytes': 268_435_456,
  'max.connections': 10_000,
  'connections.max.idle.ms': 600_000,
};

/** Throws INVALID_CONFIG that names the setting and what it takes. */
export function settingsWith(changes: Partial<BrokerSettings>): BrokerSettings {
  for (const [name, value] of Object.entries(changes)) {
    if (!isSetting(name)) {
      throw invalid(`'${name}' is not a broker setting; there are ${Object.keys(defaultSettings).join(', ')}`);
    }
    const kind = typeof defaultSettings[name];
    const valid = kind === 'number' ? Number.isSafeInteger(value) && Number(value) >= 0 : typeof value === kind;
    if (valid) continue;
    throw invalid(
      `${name} is ${JSON.stringify(value)}; it must be ${kind === 'number' ? 'an integer from 0' : 'true or false'}`,
    );
  }
  return { ...defaultSettings, ...changes };
}

function isSetting(name: string): name is keyof BrokerSettings {
  return Object.hasOwn(defaultSettings, name);
}

function invalid(what: string): LogError {
  return new LogError('INVALID_CONFIG', what);
}
