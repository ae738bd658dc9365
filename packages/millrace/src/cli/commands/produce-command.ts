/** `millrace produce`: each line of standard input is a record, sent as soon as it is read. */
import { MillraceError } from '../../errors.ts';
import type { Access, RecordToProduce } from '../api.ts';
import { toBase64 } from '../api.ts';
import { counted } from '../table.ts';
import { printJson, remark } from '../terminal.ts';
import type { DataOptions } from './with-data.ts';
import { withData } from './with-data.ts';

export interface ProduceOptions extends DataOptions {
  readonly keySeparator?: string;
  readonly partition?: number;
  readonly header?: readonly string[];
  /** What stands for no value. */
  readonly null?: string;
}

/** Records that travel in one request. */
const MOST = 1000;

export async function produceCommand(topic: string, options: ProduceOptions): Promise<void> {
  const read = recordReader(options);
  if (process.stdin.isTTY) remark('one record per line; Ctrl-D ends');
  const counts = new Map<number, number>();
  await withData(options, async (access) => {
    // Asked first, so that a missing topic is told before anything is typed.
    await access.call('topics.describe', { topic });
    for await (const lines of linesOf(process.stdin)) await send(access, topic, lines.map(read), counts);
  });
  const records = [...counts.values()].reduce((sum, n) => sum + n, 0);
  const partitions = Object.fromEntries([...counts].sort(([a], [b]) => a - b));
  if (options.json) printJson({ topic, records, partitions });
  else remark(`${counted(records, 'record')} to ${topic}`);
}

async function send(
  access: Access,
  topic: string,
  records: readonly RecordToProduce[],
  counts: Map<number, number>,
): Promise<void> {
  for (let at = 0; at < records.length; at += MOST) {
    const sent = await access.call('produce', { topic, records: records.slice(at, at + MOST) });
    for (const { partition } of sent) counts.set(partition, (counts.get(partition) ?? 0) + 1);
  }
}

function recordReader({
  keySeparator,
  partition,
  header = [],
  null: none,
}: ProduceOptions): (line: string) => RecordToProduce {
  const headers = header.map((pair): readonly [string, string | null] => {
    const equals = pair.indexOf('=');
    if (equals < 1)
      throw new MillraceError('MR_USAGE', [`--header ${pair} is not understood: write --header name=value`]);
    return [pair.slice(0, equals), base64(pair.slice(equals + 1))];
  });
  const more = { headers, ...(partition === undefined ? {} : { partition }) };
  const bytesOf = (text: string) => (text === none ? null : base64(text));
  let number = 0;
  return (line) => {
    number++;
    if (keySeparator === undefined) return { key: null, value: bytesOf(line), ...more };
    const at = line.indexOf(keySeparator);
    if (at < 0) {
      const separator = JSON.stringify(keySeparator);
      throw new MillraceError('MR_USAGE', [
        `line ${number} has no key: there is no ${separator} in ${JSON.stringify(line)}`,
      ]);
    }
    return { key: base64(line.slice(0, at)), value: bytesOf(line.slice(at + keySeparator.length)), ...more };
  };
}

function base64(text: string): string {
  return toBase64(new TextEncoder().encode(text))!;
}

/** The lines of each piece that arrives, without their line ends; a last line needs none. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of input) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield lines.map((line) => line.replace(/\r$/, ''));
  }
  if (rest !== '') yield [rest];
}
