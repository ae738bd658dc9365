/** Options of a component in its topology, with their defaults, checked when the topology is built. */
import type { Duration } from '../duration.ts';
import { milliseconds } from '../duration.ts';
import { MillraceError } from '../errors.ts';
import type { SpoutTime, WatermarkGenerator } from './event-time.ts';
import { KEY_GROUPS } from './key.ts';

/** What happens when user code throws: tried again, and then the input goes to the ledger or the topology stops. */
export interface ErrorPolicy {
  /** Tries after the first, 0 to 1000. Default 3 for bolts, 10 for sinks. */
  readonly retries?: number;
  /** Wait before the first retry; doubles each time, up to 30 s. Default 100 ms. */
  readonly backoff?: Duration;
  /** After the last retry. Default 'ledger' for bolts, 'stop' for sinks (their target is down: nothing is lost by stopping). */
  readonly exhausted?: 'ledger' | 'stop';
}

interface ComponentOptions {
  /** Tasks of the component, 1 to 256. Default 1. */
  readonly parallelism?: number;
}
export interface SpoutOptions<in T = never> extends ComponentOptions {
  /** Where event time comes from. Default: the times that the source gives, in order within each split. */
  readonly time?: SpoutTime<T>;
  /** Tuples pending per task (Storm's max spout pending); at the limit the spout waits. Default 10 000. */
  readonly maxPending?: number;
  /** Queue spouts: a tuple not done after this long of silence fails. Default 30 s. */
  readonly messageTimeout?: Duration;
  /** A source that throws is asked again, and then the topology stops; a failed record of a log spout is replayed. */
  readonly onError?: ErrorPolicy;
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
  readonly onError: { readonly retries: number; readonly backoff: number; readonly exhausted: 'ledger' | 'stop' };
  /** Undefined for all but spouts. */
  readonly time: TimeSettings | undefined;
}
export interface TimeSettings {
  /** What gives a record its time: the clock, a function, or else its source. */
  readonly from: 'ingestion' | ((value: never) => number) | undefined;
  readonly outOfOrder: number;
  readonly watermark: (() => WatermarkGenerator<never>) | undefined;
  readonly idle: number;
  readonly whenIdle: 'wait' | 'clock';
  /** Infinity: off. */
  readonly align: number;
  readonly ahead: number;
}

/** By ingestion time nothing can be late that is still to come, so silence need not be waited for. */
const INGESTION: TimeSettings = {
  from: 'ingestion',
  outOfOrder: 0,
  watermark: undefined,
  idle: 200,
  whenIdle: 'clock',
  align: Infinity,
  ahead: 86_400_000,
};

const isCount = (n: unknown, most: number): n is number =>
  Number.isInteger(n) && (n as number) >= 1 && (n as number) <= most;

function refuse(component: string, option: string, got: unknown, want: string): never {
  throw new MillraceError('MR_OPTION', [component, option, got, want]);
}

/** An option that counts something, 1 to `most`. */
export function checkCount(component: string, option: string, got: unknown, most = 1e7): void {
  if (!isCount(got, most)) refuse(component, option, got, `an integer from 1 to ${most}`);
}

/** An option that is a duration, in milliseconds. */
export function checkDuration(component: string, option: string, got: Duration, atLeast: 0 | 1): number {
  let ms: number;
  try {
    ms = milliseconds(got);
  } catch {
    return refuse(component, option, got, "a duration: milliseconds, or text such as '250ms', '10s', '1m30s'");
  }
  return ms >= atLeast ? ms : refuse(component, option, got, 'at least 1 ms');
}

/** Checks the options of `component` and fills in the defaults. */
export function settings(
  component: string,
  kind: 'spout' | 'bolt' | 'sink',
  options: SpoutOptions & BoltOptions,
  ownTick?: Duration,
): Settings {
  const { parallelism = 1, maxPending = 10_000, queue = 1024, messageTimeout = 30_000, onError = {} } = options;
  const {
    retries = kind === 'sink' ? 10 : 3,
    backoff = 100,
    exhausted = kind === 'sink' ? 'stop' : 'ledger',
  } = onError;
  if (!isCount(parallelism, KEY_GROUPS)) throw new MillraceError('MR_PARALLELISM', [component, parallelism]);
  checkCount(component, 'maxPending', maxPending);
  checkCount(component, 'queue', queue);
  if (retries !== 0 && !isCount(retries, 1000))
    refuse(component, 'onError.retries', retries, 'an integer from 0 to 1000');
  if (exhausted !== 'ledger' && exhausted !== 'stop')
    refuse(component, 'onError.exhausted', exhausted, "'ledger' or 'stop'");
  const tick = options.tick ?? ownTick;
  return {
    parallelism,
    tick: tick === undefined ? undefined : checkDuration(component, 'tick', tick, 1),
    maxPending,
    messageTimeout: checkDuration(component, 'messageTimeout', messageTimeout, 1),
    queue,
    onError: { retries, backoff: checkDuration(component, 'onError.backoff', backoff, 0), exhausted },
    time: kind === 'spout' ? timeSettings(component, options.time) : undefined,
  };
}

/** Checks the event time of a spout and fills in the defaults. */
export function timeSettings(component: string, time: SpoutTime<never> = {}): TimeSettings {
  if (time === 'ingestion') return INGESTION;
  if (typeof time !== 'object' || time === null)
    refuse(component, 'time', time, "'ingestion' or an object such as { from: (value) => value.at, outOfOrder: '5s' }");
  const { from, outOfOrder = 0, watermark, idle = 30_000, whenIdle = 'wait', align, ahead = 86_400_000 } = time;
  checkFunction(component, 'time.from', from, 'a function from the value to its time in milliseconds since 1970');
  checkFunction(component, 'time.watermark', watermark, 'a function that makes a watermark generator');
  if (watermark !== undefined && time.outOfOrder !== undefined)
    refuse(component, 'time.outOfOrder', outOfOrder, 'allowed together with time.watermark: give one of the two');
  if (whenIdle !== 'wait' && whenIdle !== 'clock') refuse(component, 'time.whenIdle', whenIdle, "'wait' or 'clock'");
  return {
    from,
    outOfOrder: checkDuration(component, 'time.outOfOrder', outOfOrder, 0),
    watermark,
    idle: checkDuration(component, 'time.idle', idle, 1),
    whenIdle,
    align: align === undefined ? Infinity : checkDuration(component, 'time.align', align, 1),
    ahead: checkDuration(component, 'time.ahead', ahead, 0),
  };
}

function checkFunction(component: string, option: string, got: unknown, want: string): void {
  if (got !== undefined && typeof got !== 'function') refuse(component, option, got, want);
}
