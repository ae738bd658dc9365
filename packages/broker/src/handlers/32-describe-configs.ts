import type { ReadOf } from '../protocol/message.ts';
import { DescribeConfigs } from '../protocol/messages/topics.ts';
import { type Call, handler } from '../server/handler.ts';
import { brokerConfigs, isBroker, topicConfigs } from './config-resources.ts';
import { expectFew, itemError } from './item-error.ts';

/**
 * DescribeConfigs, v1–4: the settings of topics and of the broker, with sources, types and documentation. A synonym has
 * its topic setting's name, since here no broker setting stands behind it. The defaults of all brokers (a broker without
 * a name) are none: nothing is set while the broker runs.
 */
type Request = ReadOf<typeof DescribeConfigs.request.shape>;

export const describeConfigs = handler(
  DescribeConfigs,
  (request, call) => {
    expectFew(request.resources, 'resources');
    return { throttleTimeMs: 0, results: request.resources.map((resource) => describe(resource, request, call)) };
  },
  ({ resources }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: resources.map(({ resourceType, resourceName }) => ({
      errorCode,
      errorMessage,
      resourceType,
      resourceName,
      configs: [],
    })),
  }),
);

function describe(
  { resourceType, resourceName, configurationKeys }: Request['resources'][number],
  { includeSynonyms, includeDocumentation }: Request,
  call: Call,
) {
  const { broker } = call;
  try {
    const own = isBroker(broker, resourceType, resourceName);
    const all = !own ? topicConfigs(broker, resourceName) : resourceName === '' ? [] : brokerConfigs(broker);
    // None asked for is all.
    const asked = configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys);
    return {
      errorCode: 0,
      errorMessage: null,
      resourceType,
      resourceName,
      configs: all
        .filter(({ name }) => asked?.has(name) ?? true)
        .map((config) => ({
          ...config,
          synonyms: includeSynonyms ? config.synonyms : [],
          documentation: includeDocumentation ? config.documentation : null,
        })),
    };
  } catch (error) {
    const failed = itemError(error, call, `DescribeConfigs of '${resourceName}'`);
    return { ...failed, resourceType, resourceName, configs: [] };
  }
}
