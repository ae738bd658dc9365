import { codeOf, errorNumber, LogError } from '../errors.ts';
import type { Call } from '../server/handler.ts';

/** What the answer says of one of a request's items that failed; a bug of ours is told to whoever runs the broker. */
export function itemError(error: unknown, { broker }: Call, what: string) {
  const code = codeOf(error);
  if (code === 'UNKNOWN_SERVER_ERROR') broker.say(`${what} failed: ${String(error)}`);
  return { errorCode: errorNumber(code), errorMessage: error instanceof LogError ? error.message : null };
}

/** For a request in which each may stand once. */
export function expectOnce<T>(all: readonly T[], one: T, same: (a: T, b: T) => boolean, what: string): void {
  if (all.filter((other) => same(other, one)).length === 1) return;
  throw new LogError('INVALID_REQUEST', `${what} is in the request twice`);
}
