import type { Protocol } from './requests.ts';

/**
 * The one thing that the coordinator reads of members' bytes: which topics consumers subscribe to. Their protocol type
 * is 'consumer', and every version of their subscription begins as version 0 does: version int16, topics array of string.
 */
export const CONSUMER_PROTOCOL = 'consumer';

/** undefined when the bytes are something else. */
export function topicsOf({ metadata }: Protocol): readonly string[] | undefined {
  if (metadata.length < 6) return undefined;
  const count = metadata.readInt32BE(2);
  if (count < 0 || count * 2 > metadata.length - 6) return undefined;
  const topics: string[] = [];
  let at = 6;
  for (let n = 0; n < count; n++) {
    if (at + 2 > metadata.length) return undefined;
    const length = metadata.readInt16BE(at);
    at += 2;
    if (length < 0 || at + length > metadata.length) return undefined;
    topics.push(metadata.toString('utf8', at, at + length));
    at += length;
  }
  return topics;
}
