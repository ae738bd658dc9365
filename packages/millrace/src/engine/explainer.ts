/**
 * Answers `explain` for a topology that runs: looks at its tasks as they are between two steps. Nothing is kept for it
 * on the hot path.
 */
import { MillraceError } from '../errors.ts';
import type { KeyContent } from '../state/keyed-store.ts';
import type { Key } from '../topology/key.ts';
import type { TimerDomain } from '../topology/timer-spec.ts';
import type { TaskView } from './explain.ts';
import { holdersOf } from './explain.ts';
import type {
  AskedTimer,
  ComponentEventTime,
  Explanation,
  Holder,
  TaskEventTime,
  TaskPlace,
  Wait,
} from './explanation.ts';
import { momentOf } from './explanation.ts';
import { keyText } from './key-text.ts';
import type { Asked } from './running.ts';
import type { Station } from './station.ts';
import {
  hasTimers,
  hasWindows,
  progress,
  slowest,
  stateOf,
  statesOf,
  taskOfKey,
  timersOf,
  viewOf,
} from './station-time.ts';

/** A timer, or a time, and the task that it concerns. */
interface Subject {
  readonly task: number;
  readonly time: number;
  readonly isWindow: boolean;
  readonly timer: { readonly name: string; readonly key: Key; readonly domain: TimerDomain } | undefined;
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
    if (asked.time === undefined && !hasTimers(station))
      throw new MillraceError('MR_NO_TIMERS', [component, this.#withTimers()]);
    const views = this.#views(station);
    const subject = subjectOf(station, views, asked);
    const task = subject?.task ?? slowest(views).task;
    const view = views[task]!;
    const state = standing(view, subject, this.#now());
    return {
      component,
      ...(asked.key === undefined ? {} : { key: keyText(asked.key) }),
      at: this.#now(),
      tasks: views.map((of) => taskEventTime(station, of)),
      ...(subject === undefined ? {} : { timer: askedTimer(subject) }),
      watermark: momentOf(view.watermark),
      state,
      holders: this.#holders(view, state, subject),
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

  #holders(view: TaskView, state: Explanation['state'], subject: Subject | undefined): readonly Holder[] {
    const { component, task, waits } = view;
    if (state === 'passed') return [];
    if (state === 'due')
      return [{ component, task, watermark: momentOf(view.watermark), waits, path: [{ component, task }] }];
    if (subject?.timer?.domain === 'clock') return [];
    return holdersOf((place) => this.#view(place), view, subject?.time ?? Infinity);
  }

  #views({ id, spouts, tasks }: Station): readonly TaskView[] {
    return [...spouts, ...tasks].map((_, task) => this.#view({ component: id, task }));
  }

  #view(place: TaskPlace): TaskView {
    const station = this.#stations.get(place.component)!;
    const full = [...this.#stations.values()].filter(({ gate }) => gate.closes(station.gate)).map(({ id }) => id);
    const waits: readonly Wait[] = full.length > 0 ? [{ kind: 'full', components: full }] : [];
    if (station.component.kind !== 'spout') return viewOf(station, place, waits);
    return viewOf(station, place, [...waits, ...this.#spoutWaits(station, place.task)]);
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
    return [...this.#stations.values()].filter(hasTimers).map(({ id }) => id);
  }
}

/** The timer, or the time, that the question is about. */
function subjectOf(station: Station, views: readonly TaskView[], { time, key }: Asked): Subject | undefined {
  const tasks = key === undefined ? views.map(({ task }) => task) : [taskOfKey(station, key)];
  const timers = tasks.flatMap((task) => timersIn(station, task, key));
  if (time !== undefined) {
    const asked = timers.find((timer) => timer.time === time || (timer.isWindow && timer.time === time - 1));
    return (
      asked ?? { task: key === undefined ? slowest(views).task : tasks[0]!, time, isWindow: false, timer: undefined }
    );
  }
  // What waits for the end of the input comes last: by the clock things happen before it.
  const urgency = ({ time: at, timer }: Subject) =>
    momentOf(at) === 'the end' ? 2 : timer?.domain === 'clock' ? 1 : 0;
  return timers.sort((a, b) => urgency(a) - urgency(b) || a.time - b.time)[0];
}

/** Of a key all timers of a task, else the earliest of each domain. */
function timersIn(station: Station, task: number, key: Key | undefined): readonly Subject[] {
  const domains = timersOf(station);
  const state = stateOf(station, task);
  const timers =
    key === undefined
      ? (['event', 'clock'] as const).flatMap((domain) => state?.first(domain) ?? [])
      : (state?.read(key)?.timers ?? []).map((timer) => ({ ...timer, key }));
  const isWindow = hasWindows(station);
  return timers.map(({ name, time, key: of }) => {
    const timer = { name, key: of, domain: domains[name]! };
    return { task, time, isWindow: isWindow && name !== 'early', timer };
  });
}

function standing(view: TaskView, subject: Subject | undefined, now: number): Explanation['state'] {
  if (subject === undefined) return 'none';
  const { time, timer } = subject;
  if (timer?.domain === 'clock') return time <= now ? 'due' : 'waiting';
  if (time <= view.watermark) return timer === undefined ? 'passed' : 'due';
  return view.idle && view.received === view.watermark ? 'idle' : 'waiting';
}

function askedTimer({ task, time, isWindow, timer }: Subject): AskedTimer {
  const of = timer && { name: timer.name, key: keyText(timer.key), domain: timer.domain };
  // Event time is past a window with its last millisecond, the clock with its end.
  const window = isWindow ? { window: momentOf(timer?.domain === 'clock' ? time : time + 1) } : {};
  return { task, time: momentOf(time), ...of, ...window };
}

function taskEventTime(station: Station, { task, watermark, idle }: TaskView): TaskEventTime {
  const state = stateOf(station, task);
  const timers = state?.pending('event') ?? 0;
  const next = timers > 0 ? { next: momentOf(state!.next('event')) } : {};
  return { task, watermark: momentOf(watermark), idle, timers, ...next };
}
