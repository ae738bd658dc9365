/** `millrace ledger …`. */
import { inspect } from 'node:util';
import { structured } from '../../codec/structured.ts';
import { MillraceError, messageOf } from '../../errors.ts';
import type { Access, EntryDetails, EntrySummary } from '../api.ts';
import { fromBase64 } from '../api.ts';
import { byteText, groupedDigits, tableLines } from '../table.ts';
import { jsonOfBytes, print, printJson, remark, textOf } from '../terminal.ts';
import { visible } from '../text-width.ts';
import type { DataOptions } from './with-data.ts';
import { withData, withRunning } from './with-data.ts';

interface Filters extends DataOptions {
  readonly component?: string;
  readonly cause?: string;
}

/** Entries that one replay of all looks at. */
const ALL = 1_000_000;
const ID = { title: 'ID', whole: true };

export async function listLedger(options: Filters & { readonly limit: number }): Promise<void> {
  const { entries, counts } = await withData(options, (access) => list(access, options, options.limit));
  if (options.json) return printJson({ entries, counts });
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return print('the ledger is empty: every record came out at the other end');
  const head = [{ title: 'AT' }, { title: 'COMPONENT' }, { title: 'CAUSE' }, { title: 'DETAIL' }, ID];
  const rows = entries.map((e) => [timeText(e.at), e.component, causeText(e), e.detail, e.id]);
  print(...tableLines(head, rows), '');
  const countHead = [{ title: 'COMPONENT' }, { title: 'CAUSE' }, { title: 'ENTRIES', right: true }];
  print(
    ...tableLines(
      countHead,
      counts.map((c) => [c.component, c.cause, c.count]),
    ),
  );
  if (entries.length < total) print(`${groupedDigits(entries.length)} of ${groupedDigits(total)} entries shown`);
}

export async function showEntry(id: string, options: DataOptions): Promise<void> {
  const entry = await withData(options, (access) => access.call('ledger.show', { id }));
  const { payload, size, ...fields } = entry;
  if (options.json) return printJson({ ...fields, payload: jsonPayload(entry) });
  const { origin, input, replayed } = entry;
  const rows: [string, string | undefined][] = [
    ['id', entry.id],
    ['at', timeText(entry.at)],
    ['topology', entry.topology],
    ['component', input === undefined ? entry.component : `${entry.component}, input ${input}`],
    ['cause', entry.cause],
    ['detail', entry.detail],
    ['origin', origin && `${origin.spout}: ${origin.split} at ${origin.position}`],
    ['event time', Number.isFinite(entry.time) ? timeText(entry.time) : undefined],
    ['replayed', replayed === undefined || replayed === null ? 'never' : timeText(replayed)],
    ['payload', size === null ? 'none' : `${entry.encoding}, ${byteText(size)}`],
  ];
  for (const [name, text] of rows) if (text !== undefined) print(`${name.padEnd(11)} ${visible(text)}`);
  if (payload !== null) print('', payloadText(entry));
}

export async function replayEntries(
  ids: readonly string[],
  options: Filters & { readonly all?: boolean },
): Promise<void> {
  if (ids.length > 0 === (options.all === true))
    throw new MillraceError('MR_USAGE', [
      'name the entries to replay, or --all (with --component or --cause to choose)',
    ]);
  const results = await withRunning(options, async (access) => {
    const chosen = ids.length > 0 ? ids : await notReplayed(access, options);
    const done: { id: string; error?: string }[] = [];
    for (const id of chosen) {
      const error = await replay(access, id);
      done.push(error === undefined ? { id } : { id, error });
      if (error !== undefined && !options.json) remark(error.includes(id) ? error : `${id}: ${error}`);
    }
    return done;
  });
  const failed = results.filter(({ error }) => error !== undefined).length;
  if (options.json) printJson(results);
  else print(`${results.length - failed} replayed, ${failed} failed again`);
  if (failed > 0) process.exitCode = 1;
}

async function replay(access: Access, id: string): Promise<string | undefined> {
  try {
    await access.call('ledger.replay', { id });
    return undefined;
  } catch (error) {
    if ((error as { code?: string }).code === 'MR_CONTROL_LOST') throw error;
    return messageOf(error);
  }
}

async function notReplayed(access: Access, options: Filters): Promise<readonly string[]> {
  const { entries } = await list(access, options, ALL);
  // Oldest first: in the order in which they fell out.
  return entries
    .filter(({ replayed, size }) => !replayed && size !== null)
    .map(({ id }) => id)
    .reverse();
}

function list(access: Access, { component, cause }: Filters, limit: number) {
  return access.call('ledger.list', {
    limit,
    ...(component === undefined ? {} : { component }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function causeText({ cause, replayed }: EntrySummary): string {
  return replayed ? `${cause}, replayed` : cause;
}

function payloadText({ encoding, payload }: EntryDetails): string {
  const bytes = fromBase64(payload)!;
  if (encoding === 'value') return inspect(structured.decode(bytes), { depth: 8, colors: process.stdout.isTTY });
  const text = textOf(bytes);
  return text === undefined ? Buffer.from(bytes).toString('hex').replace(/.{64}/g, '$&\n') : visible(text);
}

function jsonPayload({ encoding, payload }: EntryDetails): unknown {
  const bytes = fromBase64(payload);
  return encoding === 'value' && bytes !== null ? inspect(structured.decode(bytes), { depth: 8 }) : jsonOfBytes(bytes);
}
