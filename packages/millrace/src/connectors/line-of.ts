/** How sinks of text write a value. */
import { inspect } from 'node:util';
import { MillraceError } from '../errors.ts';

/** When nobody says otherwise: text as it is, everything else as JSON. */
export function lineOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The line that `format` gives, without its end; MR_LINE if it is not one. */
export function oneLine<T>(value: T, format: (value: T) => string): string {
  const line: unknown = format(value);
  if (typeof line === 'string' && !/[\r\n]/.test(line)) return line;
  const got = typeof line === 'string' ? JSON.stringify(line.slice(0, 100)) : String(line);
  throw new MillraceError('MR_LINE', [got, inspect(value, { depth: 1 }).slice(0, 200)]);
}
