import { errorNumber, LogError } from '../errors.ts';
import { servedVersions } from '../handlers/18-api-versions.ts';
import type { Api } from '../protocol/message.ts';
import { ApiVersions } from '../protocol/messages/cluster.ts';
import type { Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import type { Handler } from './handler.ts';

/**
 * Headers of requests and responses. Which header a message has follows from its API and version: from an API's first
 * flexible version on there are tagged fields (KIP-482), but for the response to ApiVersions, which a client must be
 * able to read before it knows what the broker speaks (KIP-511).
 */
export interface RequestHeader {
  readonly api: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string;
  /** Nothing for ApiVersions in a version that is not served: that one is answered all the same. */
  readonly handler: Handler | undefined;
}

/** Leaves the reader at the body. Throws where there is no way to answer. */
export function readHeader(reader: Reader, handlers: ReadonlyMap<number, Handler>): RequestHeader {
  const api = reader.int16();
  const version = reader.int16();
  const correlationId = reader.int32();
  const handler = handlers.get(api);
  if (handler === undefined) {
    throw new LogError('UNSUPPORTED_VERSION', `the API with key ${api} (version ${version}) is not served`);
  }
  const [least, most] = handler.api.versions;
  if (version < least || version > most) {
    if (api === ApiVersions.key) return { api, version, correlationId, clientId: '', handler: undefined };
    throw new LogError(
      'UNSUPPORTED_VERSION',
      `${handler.api.name} is served in versions ${least} to ${most}; version ${version} was asked for`,
    );
  }
  // Never a compact string, so that the oldest header can be read from the newest.
  const clientId = reader.string(reader.int16()) ?? '';
  if (version >= handler.api.request.flexible) reader.tags();
  return { api, version, correlationId, clientId, handler };
}

/** Adds the response, whole, to the chunks. */
export function responseTo(header: RequestHeader, body: readonly Uint8Array[], into: Uint8Array[]): void {
  const { handler, api, version, correlationId } = header;
  const tags = handler !== undefined && api !== ApiVersions.key && version >= handler.api.response.flexible ? 1 : 0;
  let size = 4 + tags;
  for (const chunk of body) size += chunk.length;
  const head = Buffer.allocUnsafe(8 + tags);
  head.writeInt32BE(size, 0);
  head.writeInt32BE(correlationId, 4);
  if (tags === 1) head[8] = 0;
  into.push(head, ...body);
}

/** What ApiVersions is answered in a version that nobody here knows: in version 0, with what there is. */
export function unsupportedVersions(apis: readonly Api[]): Uint8Array[] {
  const writer = new Writer();
  const response = { errorCode: errorNumber('UNSUPPORTED_VERSION'), apiKeys: servedVersions(apis) };
  ApiVersions.response.write(writer, 0, response);
  return writer.finish();
}
