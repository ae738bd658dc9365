/** `windowed(assigner, aggregates)`: windows as a bolt, per key of its edge. Semantics follow Flink's. */
import type { Duration } from '../../duration.ts';
import { formatTime, LAST_DATE } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import type { Bolt } from '../../topology/bolt.ts';
import { bolt } from '../../topology/bolt.ts';
import type { Key } from '../../topology/key.ts';
import { checkDuration } from '../../topology/options.ts';
import { type } from '../../topology/schema.ts';
import type { ValueState } from '../../topology/state-spec.ts';
import { owned, value } from '../../topology/state-spec.ts';
import type { Stream } from '../../topology/stream.ts';
import type { TimerDomain, TimerSpecs } from '../../topology/timer-spec.ts';
import type { Aggregate } from '../aggregates/aggregate.ts';
import type { WindowAssigner } from './assigners.ts';
import { type Aggregates, Columns } from './columns.ts';
import { CountOperator } from './count-windows.ts';
import { GlobalOperator } from './global-window.ts';
import { Grid } from './grid.ts';
import type { FiringRules, Timing, WindowOperator, WindowResult, WindowTask, WindowTimers } from './operator.ts';
import { SeparateOperator } from './separate-windows.ts';
import { SlidingOperator } from './sliding-windows.ts';

const RESERVED = ['key', 'start', 'end', 'timing'] as const;
type Reserved<A> = {
  readonly [N in keyof A & (typeof RESERVED)[number]]: `'${N}' is what the window itself gives: choose another name`;
};

/** What comes out of a window: `start ≤ t < end`, and what each aggregate gives, under its name. Its time is `end` − 1. */
export type Windowed<K, A> = {
  readonly key: K;
  readonly start: number;
  readonly end: number;
  /** `early`: more may come. `on time`: event time (or the clock) has come to the end. `late`: something came after it. */
  readonly timing: Timing;
} & { readonly [N in keyof A]: A[N] extends Aggregate<never, infer R> ? R : never };

export interface WindowedOptions<L extends boolean = boolean> {
  /** For how long after its end a window still takes values, and shows itself again for each. Event time; default 0. */
  readonly lateness?: Duration;
  /** How often, by the clock, a window that has changed shows what it holds so far. Default: never. */
  readonly early?: Duration;
  /** Whether each result holds everything (default), or what is new since the one before. */
  readonly mode?: 'accumulating' | 'discarding';
  /** true: values that come too late go to a stream `late`, the results to `results`. Default: they go to the ledger. */
  readonly late?: L;
}

type Outputs<T, R, L extends boolean> = true extends L
  ? { readonly results: Stream<R>; readonly late: Stream<T> }
  : Stream<R>;

/**
 * Aggregates per key and window: `t.bolt('stats', r.fields('device'), windowed(sliding('1h', '1m'), { n: count() }))`.
 * A key's state goes when its last window is over.
 */
export function windowed<T, const A extends Aggregates<T>, K extends Key = Key, const L extends boolean = false>(
  assigner: WindowAssigner<T>,
  aggregates: A & Aggregates<T> & Reserved<A>,
  options: WindowedOptions<L> = {},
): Bolt<
  (value: T, time: number, key: K) => void,
  Outputs<T, Windowed<K, A>, L>,
  'a key: group by fields, keyBy or global'
> {
  for (const name of RESERVED) {
    if (name in aggregates) throw new MillraceError('MR_OPTION', ['windowed', 'an aggregate', name, FREE_NAME]);
  }
  new Columns(aggregates); // refuses what is no aggregate
  const rules = firingRules(assigner, options);
  const { late: hasLateStream = false } = options;
  const nothing = definitionOf(assigner, aggregates, rules);
  return bolt({
    emits: hasLateStream ? { results: type<WindowResult>(), late: type<T>() } : type<WindowResult>(),
    state: { windows: owned(value<unknown>(nothing)) },
    timers: timersOf(assigner, rules),
    prepare({ component, emit, state, timers, watermark, now, reject }) {
      const emitResult = typeof emit === 'function' ? emit : emit.results;
      const task: WindowTask<T, never> = {
        rules,
        columns: new Columns<T>(aggregates),
        kept: keptIn(state.windows, nothing),
        timers: timers as unknown as WindowTimers,
        watermark,
        now,
        emit: (result) => emitResult(result, result.end - 1),
        late(value, time, end) {
          if (typeof emit !== 'function') emit.late(value, time);
          else reject(lateDetail(time, end, rules.lateness, watermark()), 'late');
        },
      };
      const operator = operatorOf(assigner, task, aggregates);
      return {
        execute(value: T, time: number, key: Key) {
          if (!(time >= -LAST_DATE && time <= LAST_DATE)) throw new MillraceError('MR_WINDOW_TIME', [component, time]);
          operator.execute(value, time, key);
        },
        timer: operator.timer,
      };
    },
  }) as never;
}

const FREE_NAME = `a free name: ${RESERVED.join(', ')} are what the window itself gives`;

/**
 * What windows say that they keep of a key that they keep nothing of: by this, other windows are known as other ones when
 * state is restored, and are not given accumulators that they would misread.
 */
function definitionOf(assigner: WindowAssigner, aggregates: Aggregates, rules: FiringRules): object {
  const columns = Object.entries(aggregates).map(([name, { name: kind }]) => [`${name}: ${kind}`, true] as const);
  const windows = Object.entries({ ...assigner, keeps: keepsApart(assigner, rules) ? 'windows' : 'panes' })
    .filter(([, part]) => typeof part !== 'function')
    .map(([name, part]) => `${name} ${part}`)
    .join(', ');
  return { [windows]: Object.fromEntries(columns) };
}

function keptIn(state: ValueState<unknown>, nothing: object): ValueState<never> {
  const kept: ValueState<unknown> = {
    get() {
      const kept = state.get();
      return kept === nothing ? undefined : kept;
    },
    set: state.set,
    clear: state.clear,
  };
  return kept as ValueState<never>;
}

/**
 * Where results are discarded, each window holds a part of its own; with one result for each window, it holds all. Windows
 * that do not overlap share nothing.
 */
function keepsApart(assigner: WindowAssigner, { discarding, early, lateness }: FiringRules): boolean {
  if (assigner.kind !== 'time') return assigner.kind === 'session';
  return assigner.size === assigner.slide || (discarding && (early !== undefined || lateness > 0));
}

function operatorOf<T>(
  assigner: WindowAssigner<T>,
  task: WindowTask<T, never>,
  aggregates: Aggregates<T>,
): WindowOperator<T> {
  switch (assigner.kind) {
    case 'time': {
      const { size, slide, offset } = assigner;
      const grid = new Grid(size, slide, offset);
      return keepsApart(assigner, task.rules) ? new SeparateOperator(task, grid) : new SlidingOperator(task, grid);
    }
    case 'session':
      return new SeparateOperator(task, assigner.gap);
    case 'count':
      // Positions count from 0; a window ends at each multiple of the slide.
      return new CountOperator(task, aggregates, new Grid(assigner.size, assigner.slide, -assigner.size));
    case 'global':
      return new GlobalOperator(task);
  }
}

function timersOf({ kind }: WindowAssigner, { byClock, early }: FiringRules): TimerSpecs {
  const timers: { -readonly [N in keyof WindowTimers]?: TimerDomain } = {};
  if (kind === 'time' || kind === 'session') {
    timers.due = byClock ? 'clock' : 'event';
    timers.again = timers.due;
  }
  if (kind === 'global' || byClock) timers.end = 'event';
  if (early !== undefined) timers.early = 'clock';
  return timers;
}

function firingRules(assigner: WindowAssigner, options: WindowedOptions): FiringRules {
  const { lateness = 0, early, mode = 'accumulating', late } = options;
  if (mode !== 'accumulating' && mode !== 'discarding') {
    throw new MillraceError('MR_OPTION', ['windowed', 'mode', mode, "'accumulating' or 'discarding'"]);
  }
  const isInTime = assigner.kind === 'time' || assigner.kind === 'session';
  const byClock = isInTime && assigner.by === 'clock';
  const refuse = (option: string, got: unknown, want: string): never => {
    throw new MillraceError('MR_OPTION', ['windowed', option, got, want]);
  };
  if (!isInTime || byClock) {
    const never = 'for windows in event time: to others nothing comes late';
    if (options.lateness !== undefined) refuse('lateness', lateness, never);
    if (late !== undefined) refuse('late', late, never);
  }
  if (assigner.kind === 'count' && early !== undefined) {
    refuse('early', early, 'for countWindow: it gives a result when it is full');
  }
  if (assigner.kind === 'count' && mode === 'discarding') {
    refuse('mode', mode, 'for countWindow: it gives one result');
  }
  return {
    byClock,
    lateness: checkDuration('windowed', 'lateness', lateness, 0),
    early: early === undefined ? undefined : checkDuration('windowed', 'early', early, 1),
    discarding: mode === 'discarding',
  };
}

function lateDetail(time: number, end: number, lateness: number, watermark: number): string {
  const allowed = lateness === 0 ? '' : `, with ${lateness} ms of lateness allowed`;
  return `its time is ${formatTime(time)}, its last window ended at ${formatTime(end)}${allowed}, and event time is at ${formatTime(watermark)}`;
}
