/** Values in messages for people. */
import { inspect } from 'node:util';

/** A value in one line of at most 200 characters. */
export function shown(value: unknown): string {
  const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 3, maxStringLength: 150 });
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
