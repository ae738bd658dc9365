import { LogError } from '../errors.ts';
import type { TopicConfig } from '../log/api.ts';
import { parseSetting } from '../log/topic-config.ts';
import type { ReadOf } from '../protocol/message.ts';
import { AlterConfigs } from '../protocol/messages/topics.ts';
import { handler } from '../server/handler.ts';
import { alterTopicConfigs } from './alter-topic-configs.ts';

/**
 * AlterConfigs, v0–2: what is set on a topic becomes what the request says, and everything else a default. Old, and used
 * by KafkaJS. The broker's own settings are given at its start and are refused.
 */
type ConfigRequest = ReadOf<typeof AlterConfigs.request.shape>['resources'][number]['configs'][number];

export const alterConfigs = handler(
  AlterConfigs,
  async ({ resources, validateOnly }, call) => ({
    throttleTimeMs: 0,
    responses: await alterTopicConfigs(
      resources,
      validateOnly,
      call,
      ({ configs }) =>
        () =>
          settingsOf(configs),
    ),
  }),
  ({ resources }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    responses: resources.map((one) => ({ ...one, errorCode, errorMessage })),
  }),
);

function settingsOf(configs: readonly ConfigRequest[]): Partial<TopicConfig> {
  const set: Partial<TopicConfig> = {};
  for (const { name, value } of configs) {
    if (value === null) throw new LogError('INVALID_REQUEST', `${name} has no value`);
    Object.assign(set, parseSetting(name, value));
  }
  return set;
}
