import { errorNumber } from '../errors.ts';
import type { Api } from '../protocol/message.ts';
import { ApiVersions } from '../protocol/messages/cluster.ts';
import { Produce } from '../protocol/messages/records.ts';
import { handler } from '../server/handler.ts';

/**
 * ApiVersions, v0–5: which APIs are served, in which versions. No features are finalised, so transactions are those of
 * before KIP-890. Left out: the cluster and node id of v5, which tell a client that it has been led astray, are
 * not compared.
 */
export const apiVersions = handler(
  ApiVersions,
  ({ clientSoftwareName, clientSoftwareVersion }, { version, broker }) => {
    if (version >= 3 && !(isName(clientSoftwareName) && isName(clientSoftwareVersion))) {
      return { errorCode: errorNumber('INVALID_REQUEST'), apiKeys: [] };
    }
    return { errorCode: 0, apiKeys: servedVersions(broker.apis) };
  },
  (_, errorCode) => ({ errorCode, apiKeys: [] }),
);

/**
 * Produce is told from version 0 on, though 0 to 2 are refused, because librdkafka before 2.8 takes a higher start for a
 * broker without compression (KAFKA-18659).
 */
export function servedVersions(apis: readonly Api[]): { apiKey: number; minVersion: number; maxVersion: number }[] {
  return apis.map(({ key, versions: [least, most] }) => ({
    apiKey: key,
    minVersion: key === Produce.key ? 0 : least,
    maxVersion: most,
  }));
}

/** KIP-511. */
function isName(text: string): boolean {
  return /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/.test(text);
}
