/**
 * `features`: each event comes out again together with what several windows say of its key at that moment, the event
 * included: inputs for a model, in one pass. In event-time order an event waits until no earlier one is expected, so
 * what it is given does not depend on the order of arrival; in order of arrival it goes out at once.
 */
import type { Duration } from '../duration.ts';
import { formatTime } from '../duration.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { Bolt, BoltTask } from '../topology/bolt.ts';
import { bolt } from '../topology/bolt.ts';
import { checkDuration } from '../topology/options.ts';
import { type } from '../topology/schema.ts';
import { mapOf, owned, value } from '../topology/state-spec.ts';
import type { Stream } from '../topology/stream.ts';
import type { Aggregate } from './aggregates/aggregate.ts';
import { FeaturePanes } from './feature-panes.ts';
import type { WindowAssigner } from './windows/assigners.ts';

interface OverFeature<in T, out R> {
  readonly kind: 'over';
  readonly window: WindowAssigner<unknown>;
  readonly aggregate: Aggregate<T, R>;
}
interface SinceLastFeature<out R> {
  readonly kind: 'sinceLast';
  /** Milliseconds. */
  readonly forget: number;
  /** Only for the compiler. */
  readonly result?: R;
}
/** What is said of each event: made by `over` and `sinceLast`. */
export type Feature<T, R> = OverFeature<T, R> | SinceLastFeature<R>;

/**
 * An aggregate over a window that the event is in, of what has come up to the event: the tumbling window around it, or, of
 * sliding ones, the one that ends next, which looks back by more than size − slide, and by less than size.
 */
export function over<T, R>(window: WindowAssigner<unknown>, aggregate: Aggregate<T, R>): Feature<T, R> {
  if (window?.kind !== 'time' || window.by !== 'event') {
    throw new MillraceError('MR_OPTION', ['over', 'window', window, 'tumbling(…) or sliding(…) by event time']);
  }
  if (typeof (aggregate as Partial<Aggregate<T, R>> | undefined)?.create !== 'function')
    throw new MillraceError('MR_OPTION', ['over', 'aggregate', aggregate, 'an aggregate, such as count()']);
  return { kind: 'over', window, aggregate };
}

/**
 * Milliseconds since the event before, by event time. Undefined for the first event of a key, and after `forget` without
 * one (default 30 days): then the key has no state any more.
 */
export function sinceLast(forget: Duration = '30d'): Feature<unknown, number | undefined> {
  return { kind: 'sinceLast', forget: checkDuration('sinceLast', 'forget', forget, 1) };
}

type FeaturesOf<T> = { readonly [name: string]: Feature<T, unknown> };
/** The event, and what was said of it under the names of the features. */
export type WithFeatures<T, F> = T & {
  readonly [N in keyof F]: F[N] extends Feature<never, infer R> ? R : never;
};
/** A feature must not take the place of a field. */
type NoFields<T, F> = { readonly [N in keyof F]: N extends keyof T ? 'the event has a field of this name' : unknown };

export interface FeaturesOptions {
  /**
   * `event` (default): events are given on in the order of their times, each when the watermark has passed it. `arrival`: at
   * once, with what has come until then; an event behind the watermark goes to the ledger either way.
   */
  readonly order?: 'event' | 'arrival';
}

/** What a key has: panes of its windows, changed in place, and when its last event was. */
interface Kept {
  readonly panes: ReturnType<FeaturePanes<never>['empty']>;
  last: number;
  /** From then on nothing of it can matter any more. */
  end: number;
}

type States = ReturnType<typeof statesOf>;
type Timers = { readonly turn: 'event'; readonly gone: 'event' };

function statesOf<T>() {
  return {
    /** Events that wait for their turn, by their time. */
    waiting: mapOf<readonly T[], number>(type<readonly T[]>()),
    kept: owned(value<Kept | undefined>(undefined)),
  };
}

/** Each event with its features, per key. Fields of the event and names of features must differ. */
export function features<T extends object, const F extends FeaturesOf<T>>(
  definition: F & FeaturesOf<T> & NoFields<T, F>,
  options: FeaturesOptions = {},
): Bolt<(value: T, time: number) => void, Stream<WithFeatures<T, F>>, 'a key: group by fields, keyBy or global'> {
  const { order = 'event' } = options;
  if (order !== 'event' && order !== 'arrival')
    throw new MillraceError('MR_OPTION', ['features', 'order', order, "'event' or 'arrival'"]);
  for (const [name, feature] of Object.entries(definition)) {
    if (feature?.kind !== 'over' && feature?.kind !== 'sinceLast')
      throw new MillraceError('MR_OPTION', ['features', `'${name}'`, feature, 'a feature: over(…) or sinceLast()']);
  }
  const timers: Timers = { turn: 'event', gone: 'event' };
  return bolt({
    emits: type<WithFeatures<T, F>>(),
    state: statesOf<T>(),
    timers,
    prepare: (task) => new FeaturesTask<T, F>(task as never, definition, order).code,
  }) as never;
}

type Task<T, F> = BoltTask<Stream<WithFeatures<T, F>>, States, Timers> & {
  readonly emit: (value: WithFeatures<T, F>, time: number) => void;
};

class FeaturesTask<T extends object, F> {
  readonly code;
  readonly #task: Task<T, F>;
  readonly #panes: FeaturePanes<T>;
  readonly #sinceLast: readonly { readonly name: string; readonly forget: number }[];
  /** How long (ms) the last event can matter: up to the longest time after which it is told, and no more. */
  readonly #remember: number;

  constructor(task: Task<T, F>, definition: FeaturesOf<T>, order: 'event' | 'arrival') {
    this.#task = task;
    const all = Object.entries(definition);
    this.#panes = new FeaturePanes(all.flatMap(([name, one]) => (one.kind === 'over' ? [{ name, ...one }] : [])));
    const since = all.flatMap(([name, one]) => (one.kind === 'sinceLast' ? [{ name, forget: one.forget }] : []));
    this.#sinceLast = since;
    this.#remember = Math.max(0, ...since.map(({ forget }) => forget + 1));
    this.code = {
      execute: order === 'event' ? this.#wait.bind(this) : this.#onArrival.bind(this),
      timer: { turn: this.#turn.bind(this), gone: this.#gone.bind(this) },
    };
  }

  #isLate(time: number): boolean {
    const watermark = this.#task.watermark();
    if (time > watermark) return false;
    this.#task.reject(`an event of ${formatTime(time)}, which the watermark has passed`, 'late');
    return true;
  }

  #wait(event: T, time: number): void {
    if (this.#isLate(time)) return;
    this.#panes.check(event, time);
    const { waiting } = this.#task.state;
    waiting.set(time, [...((waiting.get(time) as readonly T[] | undefined) ?? []), event]);
    this.#task.timers.turn.set(time);
  }

  #onArrival(event: T, time: number): void {
    if (!this.#isLate(time)) this.#give(event, time);
  }

  /** One event a step. What a function of the user's did not refuse on arrival and refuses now is lost to no other. */
  #turn(time: number): void {
    const { waiting } = this.#task.state;
    const [event, ...others] = waiting.get(time) as readonly T[];
    if (others.length === 0) waiting.delete(time);
    else {
      waiting.set(time, others);
      this.#task.timers.turn.set(time);
    }
    try {
      this.#give(event!, time);
    } catch (thrown) {
      this.#task.reject(messageOf(thrown), 'error', { value: event, time });
    }
  }

  /** All code of the user runs before anything is changed in place (law 1). */
  #give(event: T, time: number): void {
    const { state, timers, emit } = this.#task;
    const before = state.kept.get() as Kept | undefined;
    const result: { [name: string]: unknown } = { ...(event as object) };
    const kept = before ?? {
      panes: this.#panes.empty(),
      last: Number.NEGATIVE_INFINITY,
      end: Number.NEGATIVE_INFINITY,
    };
    const add = this.#panes.look(kept.panes, event, time, result);
    for (const { name, forget } of this.#sinceLast) result[name] = elapsed(kept.last, time, forget);
    emit(result as WithFeatures<T, F>, time);

    const end = Math.max(kept.end, this.#panes.end(time), time + this.#remember);
    if (before === undefined) timers.gone.set(end);
    state.kept.set(kept);
    add(Math.min(time, this.#task.watermark() + 1));
    kept.last = Math.max(kept.last, time);
    kept.end = end;
  }

  /** There is one such timer per key, set anew while its state still matters. */
  #gone(time: number): void {
    const { state, timers } = this.#task;
    const kept = state.kept.get() as Kept | undefined;
    if (kept === undefined) return;
    if (kept.end <= time) state.kept.clear();
    else timers.gone.set(kept.end);
  }
}

function elapsed(last: number, time: number, forget: number): number | undefined {
  return time >= last && time - last <= forget ? time - last : undefined;
}
