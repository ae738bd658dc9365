/** Options of a component in its topology, with their defaults, checked when the topology is built. */
import type { Duration } from '../duration.ts';
import { milliseconds } from '../duration.ts';
import { MillraceError } from '../errors.ts';
import { KEY_GROUPS } from './key.ts';

/** What happens when user code throws: tried again, and then the input goes to the ledger or the topology stops. */
export interface ErrorPolicy {
  /** Tries after the first, 0 to 1000. Default 3 for bolts, 10 for sinks. */
  readonly retries?: number;
  /** Wait before the first retry; doubles each time, up to 30 s. Default 100 ms. */
  readonly backoff?: Duration;
  /** After the last retry. Default 'ledger' for bolts, 'stop' for sinks (their target is down: nothing is lost by stopping). */
  readonly then?: 'ledger' | 'stop';
}

interface ComponentOptions {
  /** Tasks of the component, 1 to 256. Default 1. */
  readonly parallelism?: number;
}
export interface SpoutOptions extends ComponentOptions {
  /** Tuples pending per task (Storm's max spout pending); at the limit the spout waits. Default 10 000. */
  readonly maxPending?: number;
  /** Queue spouts: a tuple not done after this long of silence fails. Default 30 s. */
  readonly messageTimeout?: Duration;
}
export interface BoltOptions extends ComponentOptions {
  /** Overrides the bolt's own tick interval. */
  readonly tick?: Duration;
  readonly onError?: ErrorPolicy;
  /** Inputs that may wait in front of a task of an asynchronous, manual, or retrying bolt. Default 1024. */
  readonly queue?: number;
}
export interface SinkOptions extends ComponentOptions {
  readonly onError?: ErrorPolicy;
}

/** The same with every default filled in, in milliseconds. */
export interface Settings {
  readonly parallelism: number;
  readonly tick: number | undefined;
  readonly maxPending: number;
  readonly messageTimeout: number;
  readonly queue: number;
  readonly onError: { readonly retries: number; readonly backoff: number; readonly then: 'ledger' | 'stop' };
}

const isCount = (n: unknown, most: number): n is number =>
  Number.isInteger(n) && (n as number) >= 1 && (n as number) <= most;

/** Checks the options of `component` and fills in the defaults. */
export function settings(
  component: string,
  isSink: boolean,
  options: SpoutOptions & BoltOptions,
  ownTick?: Duration,
): Settings {
  const { parallelism = 1, maxPending = 10_000, queue = 1024, messageTimeout = 30_000, onError = {} } = options;
  const { retries = isSink ? 10 : 3, backoff = 100, then = isSink ? 'stop' : 'ledger' } = onError;
  const refuse = (option: string, got: unknown, want: string) => {
    throw new MillraceError('MR_OPTION', [component, option, got, want]);
  };
  if (!isCount(parallelism, KEY_GROUPS)) throw new MillraceError('MR_PARALLELISM', [component, parallelism]);
  if (!isCount(maxPending, 1e7)) refuse('maxPending', maxPending, 'an integer from 1 to 10 000 000');
  if (!isCount(queue, 1e7)) refuse('queue', queue, 'an integer from 1 to 10 000 000');
  if (!Number.isInteger(retries) || retries < 0 || retries > 1000)
    refuse('onError.retries', retries, 'an integer from 0 to 1000');
  if (then !== 'ledger' && then !== 'stop') refuse('onError.then', then, "'ledger' or 'stop'");
  const tick = options.tick ?? ownTick;
  const tickMs = tick === undefined ? undefined : milliseconds(tick);
  if (tickMs === 0) refuse('tick', tick, 'longer than 0');
  return {
    parallelism,
    tick: tickMs,
    maxPending,
    messageTimeout: milliseconds(messageTimeout),
    queue,
    onError: { retries, backoff: milliseconds(backoff), then },
  };
}
