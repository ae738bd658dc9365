/** `millrace consume`. */
import { milliseconds } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import type { ConsumedRecord, From } from '../api.ts';
import { fromBase64 } from '../api.ts';
import { jsonOfBytes, print } from '../terminal.ts';
import type { DataOptions } from './with-data.ts';
import { withData } from './with-data.ts';

export interface ConsumeOptions extends DataOptions {
  readonly from: string;
  readonly partition?: number;
  readonly max?: number;
  readonly follow?: boolean;
  readonly format: string;
}

export async function consumeCommand(topic: string, options: ConsumeOptions): Promise<void> {
  const { partition, max, follow = false, json = false } = options;
  const from = parseFrom(options.from, Date.now());
  const write = json ? (record: ConsumedRecord) => print(jsonLine(topic, record)) : formatter(options.format, topic);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  await withData(options, async (access) => {
    if (typeof from === 'object' && 'offset' in from && partition === undefined) {
      const { partitions } = await access.call('topics.describe', { topic });
      if (partitions.length > 1)
        throw new MillraceError('MR_USAGE', [
          `an offset is a place in one partition, and ${topic} has ${partitions.length}: add --partition`,
        ]);
    }
    const wanted = {
      topic,
      from,
      follow,
      ...(partition === undefined ? {} : { partition }),
      ...(max === undefined ? {} : { max }),
    };
    const { complete } = await access.call('consume', wanted, { onItem: write, signal: stop.signal });
    // Ended by whoever owns the files, because it ends itself. Following was all that could be done by then.
    if (!complete && !stop.signal.aborted && !follow) throw new MillraceError('MR_CONTROL_LOST', []);
  });
}

/** earliest, latest, an offset, a date and time, or a duration before `now`. */
export function parseFrom(text: string, now: number): From {
  if (text === 'earliest' || text === 'latest') return text;
  if (/^\d+$/.test(text)) return { offset: Number(text) };
  if (/^\d{4}-\d\d/.test(text)) {
    const time = Date.parse(text);
    if (!Number.isNaN(time)) return { time };
  }
  try {
    return { time: now - milliseconds(text as never) };
  } catch (error) {
    const want = "earliest, latest, an offset, a time like 2026-01-31T12:00:00Z, or how long ago, like '10m'";
    throw new MillraceError('MR_USAGE', [`--from ${text} is not understood: write ${want}`], error);
  }
}

function jsonLine(topic: string, { partition, offset, timestamp, key, value, headers }: ConsumedRecord): string {
  return JSON.stringify({
    topic,
    partition,
    offset,
    timestamp,
    key: jsonOfBytes(fromBase64(key)),
    value: jsonOfBytes(fromBase64(value)),
    headers: headers.map(([name, bytes]) => [name, jsonOfBytes(fromBase64(bytes))]),
  });
}

/** Writes records as the format says. Bytes are written as they are: what was produced comes out. */
export function formatter(
  format: string,
  topic: string,
  write: (bytes: Uint8Array) => void = (bytes) => void process.stdout.write(bytes),
): (record: ConsumedRecord) => void {
  const parts = parseFormat(format);
  return (record) => {
    const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part(topic, record)));
    write(Buffer.concat(bytes));
  };
}

type Part = string | ((topic: string, record: ConsumedRecord) => Uint8Array);

const NOTHING = Buffer.alloc(0);
const FIELDS: Readonly<Record<string, Exclude<Part, string>>> = {
  v: (_, { value }) => fromBase64(value) ?? NOTHING,
  k: (_, { key }) => fromBase64(key) ?? NOTHING,
  t: (topic) => Buffer.from(topic),
  p: (_, { partition }) => Buffer.from(String(partition)),
  o: (_, { offset }) => Buffer.from(String(offset)),
  T: (_, { timestamp }) => Buffer.from(String(timestamp)),
  h: (_, { headers }) => Buffer.from(headers.map(([name, value]) => `${name}=${fromBase64(value) ?? ''}`).join(',')),
  '%': () => Buffer.from('%'),
};
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

function parseFormat(format: string): readonly Part[] {
  return (format.match(/[%\\][\s\S]|[^%\\]+|[%\\]$/g) ?? []).map((piece): Part => {
    const letter = piece[1] ?? '';
    const part = piece[0] === '%' ? FIELDS[letter] : piece[0] === '\\' ? ESCAPES[letter] : piece;
    if (part !== undefined) return part;
    const want = `${Object.keys(FIELDS)
      .map((name) => `%${name}`)
      .join(' ')} and \\n \\t \\r \\0 \\\\`;
    throw new MillraceError('MR_USAGE', [`${JSON.stringify(piece)} in --format is not understood: there are ${want}`]);
  });
}
