import { LogError } from '../errors.ts';
import type { TopicConfig } from './api.ts';

/** Kafka's topic settings that the log keeps: names, defaults, and what each may be. */
export const defaultConfig: TopicConfig = {
  'retention.ms': 604_800_000,
  'retention.bytes': -1,
  'segment.bytes': 1_073_741_824,
  'max.message.bytes': 1_048_588,
  'cleanup.policy': 'delete',
};

const bounds = {
  'retention.ms': [-1, Number.MAX_SAFE_INTEGER],
  'retention.bytes': [-1, Number.MAX_SAFE_INTEGER],
  'segment.bytes': [14, 2 ** 31 - 1],
  'max.message.bytes': [0, 2 ** 31 - 1],
} as const;

/** The settings with the changes applied; throws INVALID_CONFIG that names the setting, the value and what is allowed. */
export function configWith(base: TopicConfig, changes: Partial<TopicConfig>): TopicConfig {
  for (const [name, value] of Object.entries(changes)) {
    if (name === 'cleanup.policy') checkPolicy(value);
    else if (isNumeric(name)) checkNumber(name, value);
    else throw invalid(`'${name}' is not a topic setting; there are ${Object.keys(defaultConfig).join(', ')}`);
  }
  return { ...base, ...changes };
}

function isNumeric(name: string): name is keyof typeof bounds {
  return Object.hasOwn(bounds, name);
}

function checkNumber(name: keyof typeof bounds, value: unknown): void {
  const [least, most] = bounds[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw invalid(`${name} is ${JSON.stringify(value)}; it must be an integer from ${least} to ${most}`);
}

function checkPolicy(value: unknown): void {
  if (value === 'delete') return;
  if (value === 'compact') {
    throw invalid(
      "cleanup.policy=compact is not there yet; use 'delete', and bound the topic by retention.ms or retention.bytes",
    );
  }
  throw invalid(`cleanup.policy is ${JSON.stringify(value)}; it must be 'delete'`);
}

function invalid(what: string): LogError {
  return new LogError('INVALID_CONFIG', what);
}
