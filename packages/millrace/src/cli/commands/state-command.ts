/** `millrace state`: what a component of the running topology keeps for a key. */
import { inspect } from 'node:util';
import { structured } from '../../codec/structured.ts';
import { momentText } from '../../engine/explanation-text.ts';
import { MillraceError } from '../../errors.ts';
import type { KeyedDetails } from '../api.ts';
import { fromBase64 } from '../api.ts';
import { groupedDigits } from '../table.ts';
import { print, printJson, remark } from '../terminal.ts';
import { visible } from '../text-width.ts';
import type { DataOptions } from './with-data.ts';
import { withRunning } from './with-data.ts';

interface StateOptions extends DataOptions {
  readonly keys?: boolean;
  readonly limit: number;
}

export async function stateCommand(component: string, key: string | undefined, options: StateOptions): Promise<void> {
  if ((key === undefined) !== (options.keys === true))
    throw new MillraceError('MR_USAGE', [`name a key, or --keys: which keys '${component}' has`]);
  if (key === undefined) return listKeys(component, options);
  const kept = await withRunning(options, (access) => access.call('state.read', { component, key }));
  if (options.json) return printJson(kept && { ...kept, state: jsonable(stateOf(kept)) });
  if (kept === null) return print(`'${component}' keeps nothing for key ${visible(key)}`);
  print(...keptLines(kept));
}

async function listKeys(component: string, options: StateOptions): Promise<void> {
  const { limit } = options;
  const answer = await withRunning(options, (access) => access.call('state.keys', { component, limit }));
  if (options.json) return printJson(answer);
  const { keys, total } = answer;
  print(...keys.map(visible));
  if (keys.length < total) remark(`${groupedDigits(keys.length)} of ${groupedDigits(total)} keys shown (--limit)`);
  if (total === 0) remark(`'${component}' keeps nothing now`);
}

function keptLines(kept: KeyedDetails): string[] {
  const states = Object.entries(stateOf(kept)).map(([name, value]): readonly [string, string] => [
    name,
    inspect(value, { depth: 8, colors: process.stdout.isTTY, maxStringLength: 1000 }),
  ]);
  const timers = kept.timers.map(({ name, time }): readonly [string, string] => [name, `timer of ${momentText(time)}`]);
  const rows = [...states, ...timers];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`);
}

function stateOf({ state }: KeyedDetails): { readonly [name: string]: unknown } {
  return structured.decode(fromBase64(state)!) as { readonly [name: string]: unknown };
}

/** What JSON has no word for as the nearest it has: a Map as an object or as pairs, a Set as an array, a bigint as text. */
export function jsonable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Map) {
    const entries = [...value].map(([key, of]) => [key, jsonable(of)] as const);
    const isPlain = entries.every(([key]) => typeof key === 'string' || typeof key === 'number');
    return isPlain ? Object.fromEntries(entries) : entries.map(([key, of]) => [jsonable(key), of]);
  }
  if (value instanceof Set || Array.isArray(value)) return [...value].map(jsonable);
  if (ArrayBuffer.isView(value))
    return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, jsonable(of)]));
}
