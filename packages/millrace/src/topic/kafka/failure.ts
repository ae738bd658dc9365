/**
 * What goes wrong between us and the brokers, sorted: what passes by itself (`Again`: tried once more after a pause) and
 * what somebody has to mend (a MillraceError that says what, and where to look).
 */
import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka';
import { MillraceError } from '../../errors.ts';

/** It may succeed later without anybody's doing: a broker that is away, a leader that moves. Never leaves topic/. */
export class Again extends Error {
  override readonly name = 'Again';
}

/** Kafka's name of an error code in a response, NONE for 0. */
export function errorName(code: number): string {
  return protocolErrorsCodesById[code] ?? `UNKNOWN_SERVER_ERROR (${code})`;
}

/** What Kafka itself would wait out, besides the answers of a broker that stops or has lost its disk's attention. */
export function passes(code: number): boolean {
  const name = errorName(code);
  // A batch with a bad checksum is not mended by reading it once more.
  return name !== 'CORRUPT_MESSAGE' && protocolErrors[name]?.canRetry === true;
}

/** Says that what was known of a topic's partitions and their leaders is no longer so. */
export function isStale(code: number): boolean {
  return STALE.has(errorName(code));
}
const STALE = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
]);

/** Returns when the code is 0; throws what it means otherwise. `doing` reads on: "the brokers refuse to …". */
export function check(code: number, doing: string, said?: string | null): void {
  if (code === 0) return;
  const name = errorName(code);
  if (passes(code)) throw new Again(`${doing}: ${name}`);
  throw refused(code, doing, said);
}

export function refused(code: number, doing: string, said?: string | null): MillraceError {
  const name = errorName(code);
  return new MillraceError('MR_BROKER_REFUSED', [
    doing,
    name,
    said ?? protocolErrors[name]?.message ?? 'no reason given',
  ]);
}

interface Thrown extends Error {
  readonly code?: string;
  readonly errors?: readonly Thrown[];
  readonly cause?: unknown;
  readonly response?: unknown;
}

/** The response of a request that was answered, though with error codes in it: whoever asked reads them one by one. */
export function answerOf(error: unknown): unknown {
  return (error as Thrown).code === 'PLT_KFK_RESPONSE' ? (error as Thrown).response : undefined;
}

/**
 * What the client library threw instead of an answer. A lost or refused connection is tried again; one that can never
 * come about is not.
 */
export function sorted(thrown: unknown, address: string): Error {
  const all = [...chain(thrown as Thrown)];
  const about = all.filter((error) => !isWrapping(error)).map(({ message }) => message.replace(/\.$/, ''));
  const text = [...new Set(about)].join(', ');
  if (all.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION') || /requires TLS|TLS handshake failed/.test(text))
    return new MillraceError('MR_BROKER_SECURITY', [address, text], thrown);
  if (all.some(({ code }) => code === 'PLT_KFK_UNSUPPORTED_API'))
    return new MillraceError('MR_BROKER_REFUSED', ['to understand us', 'UNSUPPORTED_VERSION', text], thrown);
  if (all.some(({ code }) => code === 'PLT_KFK_NETWORK')) return new Again(text, { cause: thrown });
  return thrown as Error;
}

/** The error itself, then what it was made of, outermost first. */
function* chain(error: Thrown): Generator<Thrown> {
  const inside = [...(error.errors ?? []), ...(error.cause instanceof Error ? [error.cause as Thrown] : [])];
  yield error;
  for (const one of inside) yield* chain(one);
}

/** Says less than what is inside of it: "Cannot connect to any broker", "Connection to … failed". */
function isWrapping({ errors, cause, message }: Thrown): boolean {
  return (
    message === '' ||
    (errors !== undefined && errors.length > 0) ||
    (cause instanceof Error && /^Connection to/.test(message))
  );
}
