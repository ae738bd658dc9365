/**
 * Answers `explain` for a topology that runs: looks at its tasks as they are between two steps. Nothing is kept for it
 * on the hot path.
 */
import { MillraceError } from '../errors.ts';
import type { FiredTimer, KeyContent, KeyedStore } from '../state/keyed-store.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey, keyGroup, notAKey, taskOfKeyGroup } from '../topology/key.ts';
import type { TimerSpecs } from '../topology/timer-spec.ts';
import type { TaskView } from './explain.ts';
import { holdersOf } from './explain.ts';
import type {
  AskedTimer,
  ComponentEventTime,
  Explanation,
  Holder,
  Moment,
  TaskEventTime,
  TaskPlace,
  Wait,
} from './explanation.ts';
import { momentOf } from './explanation.ts';
import { keyText } from './key-text.ts';
import type { Asked, ComponentMetrics } from './running.ts';
import type { Station } from './station.ts';

/** A timer, or a time, and the task that it concerns. */
interface Subject {
  readonly task: number;
  readonly time: number;
  readonly timer: FiredTimer | undefined;
}

export class Explainer {
  readonly #stations: ReadonlyMap<string, Station>;
  readonly #now: () => number;
  readonly #inactive: () => boolean;

  /** `inactive`: the topology's spouts are deactivated. */
  constructor(stations: readonly Station[], now: () => number, inactive: () => boolean) {
    this.#stations = new Map(stations.map((station) => [station.id, station]));
    this.#now = now;
    this.#inactive = inactive;
  }

  /** Why a timer has not been told: that of a key, of a time, or the earliest. */
  explain(component: string, asked: Asked = {}): Explanation {
    const station = this.#station(component);
    if (!station.timed) throw new MillraceError('MR_NO_EVENT_TIME', [component, this.#timed()]);
    if (asked.time === undefined && !hasEventTimers(station))
      throw new MillraceError('MR_NO_EVENT_TIMERS', [component, this.#withTimers()]);
    const views = this.#views(station);
    const subject = subjectOf(station, views, asked);
    const task = subject?.task ?? slowest(views).task;
    const view = views[task]!;
    const state = standing(view, subject);
    return {
      component,
      at: this.#now(),
      tasks: views.map((of) => taskEventTime(station, of)),
      ...(subject === undefined ? {} : { timer: askedTimer(subject) }),
      watermark: momentOf(view.watermark),
      state,
      holders: this.#holders(view, state, subject?.time ?? Infinity),
    };
  }

  /** Every component that follows event time. */
  overview(): readonly ComponentEventTime[] {
    return [...this.#stations.values()]
      .filter(({ timed }) => timed)
      .map((station) => {
        const task = slowest(this.#views(station));
        const holder = holdersOf((place) => this.#view(place), task, Infinity)[0];
        const kind = station.component.kind === 'spout' ? 'spout' : 'bolt';
        const states = statesOf(station);
        const timers = states.reduce((sum, state) => sum + state.pending('event'), 0);
        return {
          component: station.id,
          kind,
          idle: task.idle,
          ...progress(task.watermark, this.#now()),
          timers,
          ...(timers > 0 ? { next: momentOf(Math.min(...states.map((state) => state.next('event')))) } : {}),
          ...(holder === undefined ? {} : { holder }),
        };
      });
  }

  readState(component: string, key: Key): KeyContent | undefined {
    const station = this.#withState(component);
    return stateOf(station, taskOfKey(station, key))?.read(key);
  }

  stateKeys(component: string, most: number): readonly Key[] {
    const keys: Key[] = [];
    for (const state of statesOf(this.#withState(component))) {
      for (const key of state.keys()) {
        if (keys.length === most) return keys;
        keys.push(key);
      }
    }
    return keys;
  }

  #withState(component: string): Station {
    const station = this.#station(component);
    if (statesOf(station).length > 0) return station;
    const those = [...this.#stations.values()].filter((other) => statesOf(other).length > 0);
    throw new MillraceError('MR_NO_STATE', [component, those.map(({ id }) => id)]);
  }

  #holders(view: TaskView, state: Explanation['state'], time: number): readonly Holder[] {
    const { component, task, waits } = view;
    if (state === 'passed') return [];
    if (state === 'due')
      return [{ component, task, watermark: momentOf(view.watermark), waits, path: [{ component, task }] }];
    return holdersOf((place) => this.#view(place), view, time);
  }

  #views({ id, spouts, tasks }: Station): readonly TaskView[] {
    return [...spouts, ...tasks].map((_, task) => this.#view({ component: id, task }));
  }

  #view(place: TaskPlace): TaskView {
    const station = this.#stations.get(place.component)!;
    const full = [...this.#stations.values()].filter(({ gate }) => gate.closes(station.gate)).map(({ id }) => id);
    const waits: readonly Wait[] = full.length > 0 ? [{ kind: 'full', components: full }] : [];
    return station.component.kind === 'spout'
      ? spoutView(station, place, [...waits, ...this.#spoutWaits(station, place.task)])
      : boltView(station, place, waits);
  }

  #spoutWaits({ spouts, component }: Station, task: number): Wait[] {
    const { pending, exhausted } = spouts[task]!;
    if (exhausted && pending > 0) return [{ kind: 'ending', tuples: pending }];
    if (this.#inactive()) return [{ kind: 'inactive' }];
    return pending >= component.settings.maxPending ? [{ kind: 'pending', tuples: pending }] : [];
  }

  #station(component: string): Station {
    const station = this.#stations.get(component);
    if (station === undefined)
      throw new MillraceError('MR_UNKNOWN_COMPONENT', ['explain', component, [...this.#stations.keys()]]);
    return station;
  }
  #timed(): readonly string[] {
    return [...this.#stations.values()].filter(({ timed }) => timed).map(({ id }) => id);
  }
  #withTimers(): readonly string[] {
    return [...this.#stations.values()].filter(hasEventTimers).map(({ id }) => id);
  }
}

/** The task that has a key, or would have it. MR_KEY if it is none. */
function taskOfKey(station: Station, key: Key): number {
  const canonical = canonicalKey(key);
  if (canonical === undefined) throw notAKey(`'${station.id}'`, key);
  const has = station.tasks.findIndex((_, task) => stateOf(station, task)?.has(key));
  return has >= 0 ? has : taskOfKeyGroup(keyGroup(canonical), station.tasks.length);
}

function subjectOf(station: Station, views: readonly TaskView[], { time, key }: Asked): Subject | undefined {
  if (key !== undefined) {
    const task = taskOfKey(station, key);
    const timer = firstOf(station, task, key);
    if (time === undefined) return timer && { task, time: timer.time, timer };
    return { task, time, timer: timer?.time === time ? timer : undefined };
  }
  const firsts = station.tasks.flatMap((_, task) => {
    const timer = stateOf(station, task)?.first('event');
    return timer === undefined ? [] : [{ task, time: timer.time, timer }];
  });
  if (time === undefined) return firsts.sort((a, b) => a.time - b.time)[0];
  const { task } = slowest(views);
  return firsts.find((first) => first.time === time) ?? { task, time, timer: undefined };
}

function firstOf(station: Station, task: number, key: Key): FiredTimer | undefined {
  const domains = timersOf(station);
  const first = stateOf(station, task)
    ?.read(key)
    ?.timers.find(({ name }) => domains[name] === 'event');
  return first && { ...first, key };
}

function standing(view: TaskView, subject: Subject | undefined): Explanation['state'] {
  if (subject === undefined) return 'none';
  if (subject.time <= view.watermark) return subject.timer === undefined ? 'passed' : 'due';
  return view.idle && view.received === view.watermark ? 'idle' : 'waiting';
}

function askedTimer({ task, time, timer }: Subject): AskedTimer {
  const named = timer === undefined ? {} : { name: timer.name, key: keyText(timer.key) };
  return { task, time: momentOf(time), ...named };
}

function taskEventTime(station: Station, { task, watermark, idle }: TaskView): TaskEventTime {
  const state = stateOf(station, task);
  const timers = state?.pending('event') ?? 0;
  const next = timers > 0 ? { next: momentOf(state!.next('event')) } : {};
  return { task, watermark: momentOf(watermark), idle, timers, ...next };
}

function spoutView(
  { spouts, component }: Station,
  { component: id, task }: TaskPlace,
  waits: readonly Wait[],
): TaskView {
  const { watermark, idle } = spouts[task]!.told!;
  const source = { settings: component.settings.time!, splits: spouts[task]!.times() };
  return { component: id, task, received: watermark, watermark, idle, waits, inlets: [], source };
}

function boltView({ tasks }: Station, { component, task }: TaskPlace, waits: readonly Wait[]): TaskView {
  const { watermark: received, idle, inlets } = tasks[task]!.eventTime!;
  const { watermark, waits: own } = tasks[task]!.timeReport()!;
  return { component, task, received, watermark, idle, waits: [...own, ...waits], inlets };
}

function timersOf({ component }: Station): TimerSpecs {
  return component.kind === 'bolt' && component.code.kind === 'bolt' ? component.code.timers : {};
}

export function hasEventTimers(station: Station): boolean {
  return Object.values(timersOf(station)).includes('event');
}

/** For metrics: event time of a component, and what it keeps. */
export function timeMetrics(
  station: Station,
  now: number,
): Pick<ComponentMetrics, 'watermark' | 'lag' | 'timers' | 'keys'> {
  const { component, timed, spouts, tasks } = station;
  const told = !timed
    ? []
    : component.kind === 'spout'
      ? spouts.map(({ told }) => told!)
      : tasks.map((task) => ({ watermark: task.timeReport()!.watermark, idle: task.eventTime!.idle }));
  const states = statesOf(station);
  const timers = states.reduce((sum, state) => sum + state.pending('event') + state.pending('clock'), 0);
  return {
    ...(timed ? progress(slowest(told).watermark, now) : {}),
    ...(Object.keys(timersOf(station)).length > 0 ? { timers } : {}),
    ...(states.length > 0 ? { keys: states.reduce((sum, { size }) => sum + size, 0) } : {}),
  };
}

function progress(watermark: number, now: number): { readonly watermark: Moment; readonly lag?: number } {
  return { watermark: momentOf(watermark), ...(Number.isFinite(watermark) ? { lag: now - watermark } : {}) };
}

function statesOf({ tasks }: Station): readonly KeyedStore[] {
  return tasks.flatMap((task) => task.timeReport()?.state ?? []);
}
function stateOf({ tasks }: Station, task: number): KeyedStore | undefined {
  return tasks[task]?.timeReport()?.state;
}

/** The task that is furthest behind: of those that are not idle, if there are any. */
function slowest<T extends { readonly watermark: number; readonly idle: boolean }>(tasks: readonly T[]): T {
  const active = tasks.filter(({ idle }) => !idle);
  return (active.length > 0 ? active : tasks).reduce((least, task) =>
    task.watermark < least.watermark ? task : least,
  );
}
