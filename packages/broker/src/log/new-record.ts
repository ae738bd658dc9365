import { LogError } from '../errors.ts';
import type { RecordHeader } from './api.ts';
import { MAX_TIMESTAMP, recordBytesAtMost } from './batch-builder.ts';
import { HEADER_BYTES } from './record-batch.ts';
import type { Topic } from './topic.ts';
import { compacts } from './topic-config.ts';

/** What a record must be that a producer in this process writes, whatever the topic. Throws INVALID_RECORD. */
export function checkRecord(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly RecordHeader[],
  timestamp: number,
): void {
  if (value !== null && !(value instanceof Uint8Array)) throw invalid('value', value);
  if (key !== null && !(key instanceof Uint8Array)) throw invalid('key', key);
  if (!Number.isInteger(timestamp) || timestamp < 0 || timestamp > MAX_TIMESTAMP) {
    throw new LogError(
      'INVALID_RECORD',
      `a record's timestamp is ${timestamp}; it must be milliseconds, an integer from 0`,
    );
  }
  for (const header of headers) {
    if (typeof header.key !== 'string') throw new LogError('INVALID_RECORD', "a header's key must be a string");
    if (header.value !== null && !(header.value instanceof Uint8Array)) throw invalid('header value', header.value);
  }
}

/** What it takes of a batch at most. Throws INVALID_RECORD or MESSAGE_TOO_LARGE where the topic does not take it. */
export function bytesInTopic(
  { name, config }: Topic,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly RecordHeader[],
): number {
  if (key === null && compacts(config)) {
    throw new LogError('INVALID_RECORD', `topic '${name}' is compacted, so a record needs a key`);
  }
  const most = config['max.message.bytes'];
  const bytes = recordBytesAtMost(key, value, headers);
  if (HEADER_BYTES + bytes <= most) return bytes;
  throw new LogError(
    'MESSAGE_TOO_LARGE',
    `a record of about ${bytes} bytes for topic '${name}' is larger than its max.message.bytes, ${most}`,
  );
}

function invalid(what: string, value: unknown): LogError {
  return new LogError(
    'INVALID_RECORD',
    `a record's ${what} is ${typeof value}; it must be bytes (a Uint8Array) or null`,
  );
}
