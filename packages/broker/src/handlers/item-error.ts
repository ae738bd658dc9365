import { codeOf, errorNumber, LogError } from '../errors.ts';
import type { Call } from '../server/handler.ts';

/** What the answer says of one of a request's items that failed; a bug of ours is told to whoever runs the broker. */
export function itemError(error: unknown, { broker }: Call, what: string) {
  const code = codeOf(error);
  if (code === 'UNKNOWN_SERVER_ERROR') broker.say(`${what} failed: ${String(error)}`);
  return { errorCode: errorNumber(code), errorMessage: error instanceof LogError ? error.message : null };
}

/** Those that a request has more than once, where each may stand once. */
export function repeated(keys: Iterable<string>): ReadonlySet<string> {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const key of keys) {
    if (seen.has(key)) again.add(key);
    seen.add(key);
  }
  return again;
}

/** Most items whose answers are much larger than what asked for them: each is told with all its settings. */
const MOST_DESCRIBED = 10_000;

/** A small request must not make an answer that does not fit into memory. */
export function expectFew(items: readonly unknown[], what: string): void {
  if (items.length <= MOST_DESCRIBED) return;
  throw new LogError('INVALID_REQUEST', `${items.length} ${what} at once: ask for ${MOST_DESCRIBED} at most`);
}

export function expectOnce(again: ReadonlySet<string>, key: string, what: string): void {
  if (again.has(key)) throw new LogError('INVALID_REQUEST', `${what} is in the request twice`);
}
