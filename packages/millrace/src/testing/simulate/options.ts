/** What a simulation is asked for, checked and filled in. */
import type { Duration } from '../../duration.ts';
import { milliseconds } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import type { LedgerEntry } from '../../ledger/ledger.ts';
import type { Topic } from '../../topic/topic.ts';
import type { Guarantee } from '../../topology/receipt.ts';
import type { Fault, FaultKind } from './faults.ts';
import { ASKED_FOR, FAULT_KINDS } from './faults.ts';
import type { Inputs, TimedValue } from './outcome.ts';

/** A value, its event time in ms since 1970, and when it comes in (ms after the start); by default at its event time. */
export type Given<T> = readonly [value: T, time: number, at?: number];

/** What comes into one topic, or into one spout that is played. */
export interface Feed {
  readonly topic: Topic<never> | undefined;
  /** The topic's name, or the spout's. */
  readonly name: string;
  readonly records: readonly Given<unknown>[];
}

/** A topic as far as it is read. */
export interface Readable {
  readonly name: string;
  readonly value: { decode(bytes: Uint8Array): unknown };
  readonly key?: (value: never) => unknown;
}

/**
 * Into a topic its records are written while the pipeline runs; a spout that is named is played: it gives these values
 * instead of its own.
 */
export function feed<T>(into: Topic<T> | string, records: readonly Given<T>[]): Feed {
  if (typeof into === 'string') return { topic: undefined, name: into, records };
  return { topic: into as unknown as Topic<never>, name: into.name, records };
}

export interface SimulateOptions {
  /** Everything follows from it. Default 1. */
  readonly seed?: number;
  /** What `t.config` is given. */
  readonly config?: unknown;
  readonly inputs: readonly Feed[];
  /** Topics whose records are compared; sinks into folders, and those that are modelled, always are. */
  readonly outputs?: readonly Readable[];
  /** What must have come out, by topic or sink, from what came in. By default: what comes out of a run without faults. */
  readonly expect?: (inputs: Inputs) => { readonly [output: string]: readonly unknown[] };
  /** Looks at what came out, and throws if it is not right: for what no list of values can say. */
  readonly check?: (outcome: {
    readonly inputs: Inputs;
    readonly outputs: { readonly [output: string]: readonly TimedValue[] };
    readonly ledger: readonly LedgerEntry[];
  }) => void;
  /** What values of an output belong together: their order counts. A topic's own key by default; a sink that writes by key needs it. */
  readonly keys?: { readonly [output: string]: (value: never) => unknown };
  /** Outputs of which no order counts. */
  readonly unordered?: readonly string[];
  /** Components whose state must be the same at the end. */
  readonly state?: readonly string[];
  /** What goes wrong: these kinds, or exactly these faults. Default: all kinds but 'doubled', 'late', 'poison' and 'drain'. */
  readonly faults?: readonly FaultKind[] | readonly Fault[];
  /** Only the first so many records of each input. Default all of them. */
  readonly records?: number;
  /** Parallelism that components may have, anew at each start. */
  readonly parallelism?: { readonly [component: string]: readonly number[] };
  readonly guarantee?: Guarantee;
  /** Between checkpoints. Default 100 ms. */
  readonly interval?: Duration;
  /** How long nothing comes in any more before the end, for timers of the clock. Default 2 s. */
  readonly quiet?: Duration;
  /** It must come to rest so soon after the last input and fault. Default 2 min. */
  readonly limit?: Duration;
  /** Whether event time goes to its end in the end: windows close, event timers are told. Default true. */
  readonly drain?: boolean;
  /** First wall-clock time, ms since 1970. Default 0. */
  readonly start?: number;
  /** Whether fewer faults are looked for that fail as well. Default true. */
  readonly shrink?: boolean;
}

/** The same with every default filled in. */
export interface Plan {
  readonly seed: number;
  readonly config: unknown;
  readonly feeds: readonly Feed[];
  readonly outputs: readonly Readable[];
  readonly keys: { readonly [output: string]: (value: never) => unknown };
  readonly unordered: ReadonlySet<string>;
  readonly state: readonly string[];
  readonly kinds: readonly FaultKind[];
  /** Exactly these, if any are given. */
  readonly faults: readonly Fault[] | undefined;
  readonly records: number;
  readonly parallelism: { readonly [component: string]: readonly number[] };
  readonly guarantee: Guarantee | undefined;
  readonly interval: number;
  readonly quiet: number;
  readonly limit: number;
  readonly drain: boolean;
  readonly start: number;
}

export function planOf(options: SimulateOptions): Plan {
  const { seed = 1, config, inputs, outputs = [], keys = {}, unordered = [], state = [], parallelism = {} } = options;
  const { guarantee, interval = 100, quiet = '2s', limit = '2m', drain = true, start = 0, faults } = options;
  const { records = Number.POSITIVE_INFINITY } = options;
  const kinds = faults?.filter((fault) => typeof fault === 'string');
  const unknown = kinds?.find((kind) => !FAULT_KINDS.includes(kind));
  if (unknown !== undefined)
    throw new MillraceError('MR_OPTION', ['simulate', 'faults', unknown, `one of ${FAULT_KINDS.join(', ')}`]);
  return {
    seed,
    config,
    feeds: inputs,
    outputs,
    keys,
    unordered: new Set(unordered),
    state,
    kinds: kinds ?? FAULT_KINDS.filter((kind) => !ASKED_FOR.includes(kind)),
    faults: faults?.some((fault) => typeof fault === 'object') ? (faults as readonly Fault[]) : undefined,
    records,
    parallelism,
    guarantee,
    interval: milliseconds(interval),
    quiet: milliseconds(quiet),
    limit: milliseconds(limit),
    drain,
    start,
  };
}
