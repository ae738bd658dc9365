/**
 * Who holds event time (law 7): from a task that has not come to a time, along the inputs that hold it back, up to the
 * splits of the sources, or to a task in which a watermark waits. All of them are found, not only the one furthest
 * behind: with that one gone the next would hold. An idle input holds nobody, unless all are idle: then time stands.
 */
import type { SplitTime } from '../time/split-watermark.ts';
import type { TimeSettings } from '../topology/options.ts';
import type { Inlet } from './event-time.ts';
import type { Holder, HoldingSplit, TaskPlace, Wait } from './explanation.ts';
import { momentOf } from './explanation.ts';

/** One task, as far as its event time goes. */
export interface TaskView extends TaskPlace {
  /** What its inputs, or its splits, have told it. */
  readonly received: number;
  readonly idle: boolean;
  /** How far that has come for its own code, and for those downstream. */
  readonly watermark: number;
  /** Why these may be two. */
  readonly waits: readonly Wait[];
  readonly inlets: readonly InletView[];
  readonly source?: SourceView;
}

type InletView = Pick<Inlet, 'source' | 'task' | 'watermark' | 'idle'> & Partial<Pick<Inlet, 'barrier'>>;

export interface SourceView {
  readonly settings: Pick<TimeSettings, 'outOfOrder' | 'watermark' | 'whenIdle'>;
  readonly splits: readonly SplitTime[];
}

export type TimeGraph = (place: TaskPlace) => TaskView;

/** Those that hold this task short of `time`, the furthest behind first. */
export function holdersOf(graph: TimeGraph, task: TaskView, time: number): readonly Holder[] {
  const search = new Search(graph, time);
  search.visit(task, task.watermark, task.idle, []);
  return search.found.sort((a, b) => a.at - b.at).map(({ holder }) => holder);
}

class Search {
  readonly found: { readonly at: number; readonly holder: Holder }[] = [];
  readonly #graph: TimeGraph;
  readonly #time: number;
  readonly #seen = new Set<string>();

  constructor(graph: TimeGraph, time: number) {
    this.#graph = graph;
    this.#time = time;
  }

  /** `given` and `idle`: what this task has told the one before it on the path. */
  visit(place: TaskPlace, given: number, idle: boolean, path: readonly TaskPlace[]): void {
    const { component, task } = place;
    const id = `${component} ${task}`;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    const view = this.#graph(place);
    const here = [...path, { component, task }];
    if (view.source !== undefined) return this.#visitSource(view, view.source, given, idle, here);
    if (view.received > given) this.#add(view, given, { waits: view.waits }, here);
    if (view.received >= this.#time) return;
    const inlets = view.inlets.filter((inlet) => (view.idle || !inlet.idle) && inlet.watermark < this.#time);
    for (const { source, task: of, watermark, idle: isIdle, barrier } of inlets.sort(
      (a, b) => a.watermark - b.watermark,
    )) {
      if (barrier?.holdsTime)
        this.#add(view, watermark, { waits: [{ kind: 'barrier', tuples: barrier.waiting }] }, here);
      else this.visit({ component: source, task: of }, watermark, isIdle, here);
    }
  }

  #visitSource(
    view: TaskView,
    { settings, splits }: SourceView,
    given: number,
    idle: boolean,
    path: readonly TaskPlace[],
  ): void {
    const { waits } = view;
    const open = splits.filter((split) => !split.ended);
    const active = open.filter((split) => !split.idle);
    if (!idle && active.length === 0 && open.length > 0 && settings.whenIdle === 'clock')
      return this.#add(view, given, { waits, clock: this.#time + settings.outOfOrder + 1 }, path);
    const holding = (idle ? open : active).filter(({ watermark }) => watermark < this.#time);
    for (const split of holding) this.#add(view, split.watermark, { waits, split: this.#split(split, settings) }, path);
    if (holding.length === 0) this.#add(view, given, { waits }, path);
  }

  #split(time: SplitTime, { outOfOrder, watermark }: SourceView['settings']): HoldingSplit {
    const { split, newest, since, idle, farAhead, idleIn } = time;
    const needs = watermark === undefined ? this.#time + outOfOrder + 1 : Infinity;
    return {
      split,
      newest: momentOf(newest),
      since,
      idle,
      farAhead,
      ...(idleIn < Infinity ? { idleIn: Math.ceil(idleIn) } : {}),
      ...(momentOf(needs) === 'the end' ? {} : { needs }),
    };
  }

  #add(
    { component, task }: TaskView,
    at: number,
    { clock = Infinity, ...why }: Pick<Holder, 'waits' | 'split' | 'clock'>,
    path: readonly TaskPlace[],
  ): void {
    const when = clock < Infinity ? { clock } : {};
    this.found.push({ at, holder: { component, task, watermark: momentOf(at), ...why, ...when, path } });
  }
}
