/** What one component says of its event time: of each task, and all together. */
import type { KeyedStore } from '../state/keyed-store.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey, keyGroup, notAKey, taskOfKeyGroup } from '../topology/key.ts';
import type { TimerSpecs } from '../topology/timer-spec.ts';
import type { TaskView } from './explain.ts';
import type { Moment, TaskPlace, Wait } from './explanation.ts';
import { momentOf } from './explanation.ts';
import type { ComponentMetrics } from './running.ts';
import type { Station } from './station.ts';

/** A task of it; `waits` are what all its tasks wait for. */
export function viewOf(station: Station, place: TaskPlace, waits: readonly Wait[]): TaskView {
  return station.component.kind === 'spout' ? spoutView(station, place, waits) : boltView(station, place, waits);
}

function spoutView(
  { spouts, component }: Station,
  { component: id, task }: TaskPlace,
  waits: readonly Wait[],
): TaskView {
  const eventTime = spouts[task]!.eventTime!;
  const { watermark, idle } = eventTime.told;
  const source = { settings: component.settings.time!, splits: eventTime.report() };
  return { component: id, task, received: watermark, watermark, idle, waits, inlets: [], source };
}

function boltView({ tasks }: Station, { component, task }: TaskPlace, waits: readonly Wait[]): TaskView {
  const { watermark: received, idle, inlets } = tasks[task]!.eventTime!;
  const { watermark, waits: own } = tasks[task]!.timeReport()!;
  return { component, task, received, watermark, idle, waits: [...own, ...waits], inlets };
}

/** The timers that it declares. */
export function timersOf({ component }: Station): TimerSpecs {
  return component.kind === 'bolt' && component.code.kind === 'bolt' ? component.code.timers : {};
}

export function hasTimers(station: Station): boolean {
  return Object.keys(timersOf(station)).length > 0;
}

/** Made by `windowed`: what it keeps and its timers are those of windows. */
export function hasWindows({ component }: Station): boolean {
  return component.kind === 'bolt' && component.code.kind === 'bolt' && component.code.state.windows?.owned === true;
}

export function hasEventTimers(station: Station): boolean {
  return Object.values(timersOf(station)).includes('event');
}

/** The task that has a key, or would have it. MR_KEY if it is none. */
export function taskOfKey(station: Station, key: Key): number {
  const canonical = canonicalKey(key);
  if (canonical === undefined) throw notAKey(`'${station.id}'`, key);
  return taskOfKeyGroup(keyGroup(canonical), station.tasks.length);
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
      ? spouts.map(({ eventTime }) => eventTime!.told)
      : tasks.map((task) => ({ watermark: task.timeReport()!.watermark, idle: task.eventTime!.idle }));
  const states = statesOf(station);
  const timers = states.reduce((sum, state) => sum + state.pending('event') + state.pending('clock'), 0);
  return {
    ...(timed ? progress(slowest(told).watermark, now) : {}),
    ...(hasTimers(station) ? { timers } : {}),
    ...(states.length > 0 ? { keys: states.reduce((sum, { size }) => sum + size, 0) } : {}),
  };
}

export function progress(watermark: number, now: number): { readonly watermark: Moment; readonly lag?: number } {
  return { watermark: momentOf(watermark), ...(Number.isFinite(watermark) ? { lag: now - watermark } : {}) };
}

/** What its tasks keep. */
export function statesOf({ tasks }: Station): readonly KeyedStore[] {
  return tasks.flatMap((task) => task.timeReport()?.state ?? []);
}
export function stateOf({ tasks }: Station, task: number): KeyedStore | undefined {
  return tasks[task]?.timeReport()?.state;
}

/** The task that is furthest behind: of those that are not idle, if there are any. */
export function slowest<T extends { readonly watermark: number; readonly idle: boolean }>(tasks: readonly T[]): T {
  const active = tasks.filter(({ idle }) => !idle);
  return (active.length > 0 ? active : tasks).reduce((least, task) =>
    task.watermark < least.watermark ? task : least,
  );
}
