import { LogError } from '../errors.ts';
import type { TopicConfig } from '../log/api.ts';
import { configWith, defaultConfig } from '../log/topic-config.ts';
import type { Call } from '../server/handler.ts';
import { isBroker } from './config-resources.ts';
import { expectOnce, itemError } from './item-error.ts';

/** What the two requests that change settings have in common: each resource on its own, once, and durably. */
interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly configs: readonly { readonly name: string }[];
}

type Change = (set: Partial<TopicConfig>) => Partial<TopicConfig>;

export function alterTopicConfigs<R extends Resource>(
  resources: readonly R[],
  validateOnly: boolean,
  call: Call,
  changeOf: (resource: R) => Change,
) {
  return Promise.all(
    resources.map(async (one) => {
      const { resourceType, resourceName } = one;
      try {
        const same = (a: R, b: R) => a.resourceType === b.resourceType && a.resourceName === b.resourceName;
        expectOnce(resources, one, same, `'${resourceName}'`);
        for (const config of one.configs) {
          expectOnce(one.configs, config, (a, b) => a.name === b.name, `${config.name} of '${resourceName}'`);
        }
        await alter(one, validateOnly, call, changeOf(one));
        return { errorCode: 0, errorMessage: null, resourceType, resourceName };
      } catch (error) {
        return { ...itemError(error, call, `changing the settings of '${resourceName}'`), resourceType, resourceName };
      }
    }),
  );
}

async function alter(
  { resourceType, resourceName, configs }: Resource,
  validateOnly: boolean,
  { broker }: Call,
  change: Change,
): Promise<void> {
  if (isBroker(broker, resourceType, resourceName)) {
    if (configs.length === 0) return;
    const names = configs.map(({ name }) => name).join(', ');
    throw new LogError('INVALID_REQUEST', `${names}: the broker's settings are given when it is started`);
  }
  const { catalog } = broker.log;
  if (validateOnly) configWith(defaultConfig, change(catalog.topic(resourceName).set));
  else await catalog.configure(resourceName, change);
}
