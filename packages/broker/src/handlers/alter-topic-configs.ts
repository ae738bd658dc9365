import { LogError } from '../errors.ts';
import type { TopicConfig } from '../log/api.ts';
import { configWith, defaultConfig } from '../log/topic-config.ts';
import type { Call } from '../server/handler.ts';
import { isBroker } from './config-resources.ts';
import { expectOnce, itemError, repeated } from './item-error.ts';

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
  const nameOf = ({ resourceType, resourceName }: R) => `${resourceType} ${resourceName}`;
  const again = repeated(resources.map(nameOf));
  return Promise.all(
    resources.map(async (one) => {
      const { resourceType, resourceName } = one;
      try {
        expectOnce(again, nameOf(one), `'${resourceName}'`);
        const twice = repeated(one.configs.map(({ name }) => name));
        for (const { name } of one.configs) expectOnce(twice, name, `${name} of '${resourceName}'`);
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
