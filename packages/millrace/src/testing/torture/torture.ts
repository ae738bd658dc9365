/**
 * `torture`: one bolt, one scenario, many ways to run it, and the same result each time. After Hazelcast Jet's
 * `TestSupport.verifyProcessor`. What runs is the engine itself, in virtual time, with a source that the scenario is and
 * a downstream that is as slow as it likes.
 */
import { isDeepStrictEqual } from 'node:util';
import { shown } from '../../codec/shown.ts';
import type { Duration } from '../../duration.ts';
import { milliseconds } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { AnyExecute, Bolt } from '../../topology/bolt.ts';
import type { Key } from '../../topology/key.ts';
import { canonicalKey } from '../../topology/key.ts';
import type { DirectStream, Stream } from '../../topology/stream.ts';
import { difference } from './compare.ts';
import type { KeyFunction } from './probe.ts';
import type { Ran } from './run.ts';
import { runOnce } from './run.ts';
import type { AnyStep, Step } from './scenario.ts';
import { isInput } from './scenario.ts';
import type { Came } from './stage.ts';
import type { Given, Run, Way } from './ways.ts';
import { waysOf } from './ways.ts';

type Values<X> = X extends (value: infer V, time: number, key: never) => unknown
  ? V
  : { [N in keyof X]: Values<X[N]> }[keyof X];
type Emitted<S> = S extends Stream<infer O> ? readonly O[] : S extends DirectStream<infer O> ? readonly O[] : never;
type Expected<H> = H extends Stream<unknown> ? Emitted<H> : { readonly [S in keyof H]?: Emitted<H[S]> };

export interface TortureOptions<V, H> {
  /** The key of an input, for bolts that need one: what a topology says with `fields` or `keyBy`, or 'global'. */
  readonly key?: ((value: V, input?: string) => Key) | 'global';
  /** What comes, in its order: `[value, time]`, or `[value, time, input]`; `{ watermark }`; `{ advance: '10s' }` of the clock. Then the input ends. */
  readonly inputs: readonly Step<V>[];
  /** What comes out, stream by stream, if it comes in as given. */
  readonly expected?: Expected<H>;
  /** Inputs of one key may come as much out of order. Default: the order of one key's inputs counts. */
  readonly outOfOrder?: Duration;
  /** With `outOfOrder`: whether inputs of one key that have the same time stay in their order. Default 'ordered'. */
  readonly ties?: 'ordered' | 'unordered';
  /** What of the values that one stream gave for one key must be the same. Default: all of them, with their times. */
  readonly same?: (came: readonly Came[]) => unknown;
  /** Default 1. */
  readonly seed?: number;
  /** How many random orders, batches, and mixtures of all. Default 20. */
  readonly rounds?: number;
}

export interface Tortured {
  readonly runs: number;
  /** What came out of the run as given, in its order. */
  readonly came: readonly Came[];
  /** Keys that still have state or timers after the end of the input. */
  readonly keys: readonly Key[];
}

/** Rejects with MR_TORTURE: in which way and at which point another result came out, and what differs. */
export async function torture<X extends AnyExecute, H>(
  bolt: Bolt<X, H>,
  options: TortureOptions<Values<X>, H>,
): Promise<Tortured> {
  const { seed = 1, rounds = 20, ties = 'ordered', outOfOrder, expected, same } = options;
  const key = options.key as ((value: unknown, input?: string) => unknown) | 'global' | undefined;
  const steps = options.inputs as readonly AnyStep[];
  const keyOf = keyFunction(key);
  const once = (run: Run) => runOnce(bolt, { key: key as never, keyOf }, run);
  const base = await once({ steps });
  checkGiven(base, expected);
  const given: Given = {
    steps,
    calls: base.calls,
    spreads: typeof key === 'function',
    disorder: { keyOf, ties, outOfOrder: outOfOrder === undefined ? undefined : milliseconds(outOfOrder) },
    seed,
    rounds,
    randomOf: seededRandom,
    shown: shownStep,
  };
  const found: string[] = [];
  let [runs, passed] = [1, 0];
  for (const way of waysOf(given)) {
    if (way.mixes && found.length > 0) break;
    const before = found.length;
    for (const run of way.runs) {
      runs++;
      const ran = await once(run);
      const differs = compare(base, ran, way, same);
      if (differs === undefined) continue;
      found.push(report(way, run, ran, differs));
      break;
    }
    if (found.length === before) passed++;
  }
  if (found.length > 0) throw new MillraceError('MR_TORTURE', [found, othersOf(passed, seed)]);
  return { runs, came: base.came, keys: base.keys };
}

function keyFunction(key: ((value: unknown, input?: string) => unknown) | 'global' | undefined): KeyFunction {
  if (typeof key !== 'function') return () => (key === 'global' ? [] : undefined);
  return (value, input) => {
    try {
      const found = key(value, input);
      return canonicalKey(found) === undefined ? undefined : (found as Key);
    } catch {
      return undefined; // the engine gives the input to the ledger
    }
  };
}

/** The scenario itself must go well, or nothing can be said about others. */
function checkGiven({ failure, came }: Ran, expected: unknown): void {
  const error = failure ?? came.find(({ stream }) => stream.startsWith('(error'))?.stream;
  if (error !== undefined) throw new MillraceError('MR_TORTURE', [[`as given: ${error}`], '']);
  if (expected === undefined) return;
  const wanted = Array.isArray(expected) ? { default: expected } : (expected as { readonly [stream: string]: unknown });
  for (const [stream, values] of Object.entries(wanted)) {
    const got = came.filter((one) => one.stream === stream).map(({ value }) => value);
    if (isDeepStrictEqual(got, values)) continue;
    const text = `as given: stream ${stream}\n    expected: ${shown(values)}\n    came: ${shown(got)}`;
    throw new MillraceError('MR_TORTURE', [[text], '']);
  }
}

function compare(base: Ran, ran: Ran, way: Way, same: TortureOptions<never, never>['same']): string | undefined {
  if (ran.failure !== undefined) return ran.failure;
  return difference(base.came, ran.came, { ordered: way.reorders !== true, keyless: !ran.spread, same });
}

function othersOf(ways: number, seed: number): string {
  return ways === 0 ? '' : `\n${ways} other ways gave the same as the run as given; seed ${seed}`;
}

function report({ name }: Way, run: Run, { failed }: Ran, differs: string): string {
  const where = run.where ?? (failed === '' ? undefined : failed);
  const seed = run.seed === undefined ? '' : ` (seed ${run.seed})`;
  const order = run.seed === undefined ? '' : `\n    came in as: ${shownOrder(run.steps)}`;
  return `${name}${where === undefined ? '' : `, ${where}`}${seed}: ${differs}${order}`;
}

function shownStep(step: AnyStep): string {
  return isInput(step) ? `${shown(step[0])} at ${step[1]}` : shown(step);
}

const MOST = 20;

function shownOrder(steps: readonly AnyStep[]): string {
  const more = steps.length > MOST ? `, and ${steps.length - MOST} more` : '';
  return `${steps.slice(0, MOST).map(shownStep).join(', ')}${more}`;
}
