import { LogError } from '../errors.ts';
import { type SettingType, settingNames, settingText, topicSettings } from '../log/topic-config.ts';
import type { Parts } from '../server/handler.ts';
import { defaultSettings } from '../server/settings.ts';

/** What has settings, as DescribeConfigs, AlterConfigs and IncrementalAlterConfigs name it, and how they show one. */
const TOPIC = 2;
const BROKER = 4;

/** Kafka's ConfigSource. */
const TOPIC_SOURCE = 1;
const STATIC_SOURCE = 4;
const DEFAULT_SOURCE = 5;
/** Kafka's ConfigType. */
const types: Readonly<Record<SettingType, number>> = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 };

export interface ShownConfig {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly synonyms: readonly { readonly name: string; readonly value: string; readonly source: number }[];
  readonly configType: number;
  readonly documentation: string;
}

/** Every setting of a topic: what it is worth, and before that what it would be worth without. */
export function topicConfigs({ log }: Parts, name: string): ShownConfig[] {
  const { config, set } = log.catalog.topic(name);
  return settingNames.map((setting) => {
    const { type, default: preset, doc, fixed } = topicSettings[setting];
    const value = settingText(setting, config[setting]);
    const isSet = Object.hasOwn(set, setting);
    const synonyms = [
      ...(isSet ? [{ name: setting, value, source: TOPIC_SOURCE }] : []),
      { name: setting, value: settingText(setting, preset), source: DEFAULT_SOURCE },
    ];
    const configSource = isSet ? TOPIC_SOURCE : DEFAULT_SOURCE;
    const documentation = fixed === undefined ? doc : `${doc} Anything else is refused: ${fixed}.`;
    const configType = types[type];
    return {
      name: setting,
      value,
      readOnly: false,
      configSource,
      isSensitive: false,
      synonyms,
      configType,
      documentation,
    };
  });
}

/** What the broker was started with, and what tools look for; none of it changes while it runs. */
export function brokerConfigs({ settings, nodeId, log }: Parts): ShownConfig[] {
  const shown = (name: string, value: string | number | boolean, preset: string | number | boolean): ShownConfig => {
    const isDefault = value === preset;
    const type = typeof value === 'boolean' ? 'boolean' : typeof value === 'string' ? 'string' : 'long';
    return {
      name,
      value: String(value),
      readOnly: true,
      configSource: isDefault ? DEFAULT_SOURCE : STATIC_SOURCE,
      isSensitive: false,
      synonyms: [
        ...(isDefault ? [] : [{ name, value: String(value), source: STATIC_SOURCE }]),
        { name, value: String(preset), source: DEFAULT_SOURCE },
      ],
      configType: types[type],
      documentation: 'Given when the broker is started.',
    };
  };
  const names = Object.keys(defaultSettings) as (keyof typeof defaultSettings)[];
  return [
    ...names.map((name) => shown(name, settings[name], defaultSettings[name])),
    shown('broker.id', nodeId, -1),
    shown('node.id', nodeId, -1),
    shown('default.replication.factor', 1, 1),
    shown('delete.topic.enable', true, true),
    shown('log.dirs', log.directory.path, ''),
    shown('min.insync.replicas', 1, 1),
  ];
}

/** Throws for what is neither a topic nor this broker; true for the broker, and for the defaults of all. */
export function isBroker({ nodeId }: Parts, resourceType: number, resourceName: string): boolean {
  if (resourceType === TOPIC) return false;
  if (resourceType === BROKER && (resourceName === '' || resourceName === String(nodeId))) return true;
  throw new LogError(
    'INVALID_REQUEST',
    resourceType === BROKER
      ? `there is no broker '${resourceName}'; there is ${nodeId}`
      : `a resource of type ${resourceType} has no settings here; topics (${TOPIC}) and brokers (${BROKER}) have`,
  );
}
