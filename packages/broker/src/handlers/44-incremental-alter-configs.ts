import { LogError } from '../errors.ts';
import type { TopicConfig } from '../log/api.ts';
import { defaultConfig, isSetting, parseSetting, topicSettings } from '../log/topic-config.ts';
import type { ReadOf } from '../protocol/message.ts';
import { IncrementalAlterConfigs } from '../protocol/messages/topics.ts';
import { handler } from '../server/handler.ts';
import { alterTopicConfigs } from './alter-topic-configs.ts';

/**
 * IncrementalAlterConfigs, v0–1: single settings of topics are set (0), become defaults again (1), and, where they are
 * lists, are appended to (2) or subtracted from (3). The broker's own settings are given at its start and are refused.
 */
type ConfigRequest = ReadOf<typeof IncrementalAlterConfigs.request.shape>['resources'][number]['configs'][number];

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export const incrementalAlterConfigs = handler(
  IncrementalAlterConfigs,
  async ({ resources, validateOnly }, call) => ({
    throttleTimeMs: 0,
    responses: await alterTopicConfigs(
      resources,
      validateOnly,
      call,
      ({ configs }) =>
        (set) =>
          changed(set, configs),
    ),
  }),
  ({ resources }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    responses: resources.map((one) => ({ ...one, errorCode, errorMessage })),
  }),
);

function changed(set: Partial<TopicConfig>, configs: readonly ConfigRequest[]): Partial<TopicConfig> {
  const next: Record<string, unknown> = { ...set };
  for (const { name, configOperation, value } of configs) {
    if (configOperation === DELETE) {
      // Throws for what is no setting.
      if (!isSetting(name)) parseSetting(name, '');
      delete next[name];
      continue;
    }
    if (value === null) throw new LogError('INVALID_REQUEST', `${name} has no value`);
    const text = configOperation === SET ? value : listed(next, name, configOperation, value);
    Object.assign(next, parseSetting(name, text));
  }
  return next;
}

function listed(set: Readonly<Record<string, unknown>>, name: string, operation: number, value: string): string {
  if (operation !== APPEND && operation !== SUBTRACT) {
    throw new LogError('INVALID_REQUEST', `${name}: there is no operation ${operation} on a setting`);
  }
  if (!isSetting(name) || topicSettings[name].type !== 'list') {
    throw new LogError('INVALID_CONFIG', `${name} is not a list, so nothing is appended to it or subtracted from it`);
  }
  const now = itemsOf(String(set[name] ?? defaultConfig[name]));
  const given = itemsOf(value);
  return (operation === APPEND ? [...now, ...given] : now.filter((item) => !given.includes(item))).join(',');
}

function itemsOf(list: string): string[] {
  return list.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
}
