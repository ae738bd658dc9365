/**
 * What becomes of a checkpoint under a topology that may have changed since: which component goes on with what. The same
 * plan is shown by a dry run and kept by a start. Nothing is silent: what the checkpoint holds of a component that is not
 * there any more stops the start, unless it was renamed or given up by name; new components begin empty.
 */
import { MillraceError } from '../errors.ts';
import { takeover } from '../state/migration.ts';
import type { Shapes, StateShape } from '../state/shape.ts';
import { shapesOf } from '../state/shape.ts';
import type { Epoch } from '../topology/epoch.ts';
import { epochText } from '../topology/epoch.ts';
import type { Component } from '../topology/plan.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import type { TimerSpecs } from '../topology/timer-spec.ts';
import type { Built } from '../topology/topology.ts';
import type { SavedCheckpoint } from './checkpoint-store.ts';

/** What the person who starts says of what has changed. Nothing is wrong with what is done already, or is not there. */
export interface TakeoverChoice {
  /** Components that had another name in the checkpoint: the new name by the old one. */
  readonly renamed: ReadonlyMap<string, string>;
  /** What is not wanted any more: components, or `component.state` (or timer), by their names in the checkpoint or now. */
  readonly dropped: ReadonlySet<string>;
}

/**
 * `taken`: as it is. `migrated`: by the `migrate` of what declares a newer version. `new`: there is nothing to go on with.
 * `missing`: it is in the checkpoint only, and the start is refused.
 */
export type Fate = 'taken' | 'migrated' | 'dropped' | 'new' | 'missing';

/** Of a spout: its positions. Of a bolt: its state and timers, by key. Of a sink: what it may still have to publish. */
export interface ComponentTakeover {
  /** As it is called now, or was called where it is not there any more. */
  readonly component: string;
  readonly kind: Component['kind'];
  readonly fate: Fate;
  /** The component of the checkpoint that it goes on from; undefined: it begins from nothing. */
  readonly from: string | undefined;
  /** Of a bolt: each state and timer, those that are saved first. */
  readonly parts: readonly PartTakeover[];
  /** Of a bolt: saved states and timers that `restore` is to leave out. */
  readonly drop: readonly string[];
  /** It has so many tasks now: key groups and splits go to the tasks that have them by this number. */
  readonly tasks: number;
  /** Of a spout: how many splits go on at a position. Of a sink: entries of the checkpoint's own epoch. */
  readonly count: number;
}

export interface PartTakeover {
  readonly name: string;
  readonly what: 'state' | 'timer';
  readonly fate: Exclude<Fate, 'missing'>;
  /** Of a state: the version saved, and the one declared. */
  readonly was: number | undefined;
  readonly is: number | undefined;
}

export interface TakeoverPlan {
  /** Of the checkpoint, as its topology. */
  readonly epoch: Epoch;
  readonly topology: string;
  /** There is nothing to go on with: it was made when the topology had come to its end. */
  readonly finished: boolean;
  /** In the order of the topology, and then what is not there any more. Without bolts that never kept anything. */
  readonly components: readonly ComponentTakeover[];
  /** Renames (`old=new`) and drops that name nothing here: they are done already, or misspelt. */
  readonly unused: readonly string[];
  /** Why it cannot be taken over. All of them. */
  readonly problems: readonly MillraceError[];
}

export function planTakeover(built: Built, saved: SavedCheckpoint, choice: TakeoverChoice): TakeoverPlan {
  return new Planning(built, saved, choice).plan();
}

/** Throws the first of the problems. */
export function acceptTakeover(plan: TakeoverPlan): TakeoverPlan {
  if (plan.problems.length > 0) throw plan.problems[0]!;
  return plan;
}

class Planning {
  readonly #built: Built;
  readonly #saved: SavedCheckpoint;
  readonly #choice: TakeoverChoice;
  /** Names in the checkpoint, by kind. */
  readonly #names: { readonly [K in Component['kind']]: ReadonlySet<string> };
  readonly #used = new Set<string>();
  readonly #gone: string[] = [];
  readonly #problems: MillraceError[] = [];

  constructor(built: Built, saved: SavedCheckpoint, choice: TakeoverChoice) {
    this.#built = built;
    this.#saved = saved;
    this.#choice = choice;
    const { facts } = saved.info;
    this.#names = {
      spout: new Set(Object.keys(facts.sources)),
      bolt: new Set([...saved.components, ...Object.keys(facts.watermarks)]),
      sink: new Set(Object.keys(facts.outputs).filter((sink) => facts.outputs[sink]! > 0)),
    };
  }

  plan(): TakeoverPlan {
    const { epoch, facts } = this.#saved.info;
    const { topology, finished } = facts;
    const own = [...this.#built.components.values()];
    if (finished) {
      const components = own.flatMap((component) => (keepsSomething(component) ? [beginning(component)] : []));
      return { epoch, topology, finished, components, unused: this.#unused(), problems: [] };
    }
    this.#checkRenames();
    const now = own.flatMap((component) => this.#takeOver(component) ?? []);
    const components = [...now, ...this.#rest(now)];
    if (this.#gone.length > 0)
      this.#problems.unshift(new MillraceError('MR_CHECKPOINT_COMPONENT', [epochText(epoch), this.#gone]));
    return { epoch, topology, finished, components, unused: this.#unused(), problems: this.#problems };
  }

  #takeOver(component: Component): ComponentTakeover | undefined {
    const { id, kind } = component;
    const from = this.#savedNameOf(id, kind);
    if (from === undefined) return keepsSomething(component) ? beginning(component) : undefined;
    if (this.#isDropped(from) || this.#isDropped(id)) return { ...beginning(component), fate: 'dropped' };
    // One that publishes at once has no use for what is to be published by epochs.
    if (kind === 'sink' && component.sink.epochs === undefined) return undefined;
    if (kind === 'bolt') return this.#takeBolt(component, from);
    const { facts } = this.#saved.info;
    const count = kind === 'spout' ? Object.keys(facts.sources[from]!).length : facts.outputs[from]!;
    const { parallelism: tasks } = component.settings;
    return { component: id, kind, fate: 'taken', from, parts: [], drop: [], tasks, count };
  }

  /**
   * The name under which the checkpoint has what is called `id` now. Not so of a sink: what it has published is marked with its
   * own name, so under another nobody could tell whether these outputs are published.
   */
  #savedNameOf(id: string, kind: Component['kind']): string | undefined {
    if (kind === 'sink') return this.#names.sink.has(id) ? id : undefined;
    for (const [old, now] of this.#choice.renamed) if (now === id && this.#names[kind].has(old)) return old;
    return this.#names[kind].has(id) && !this.#choice.renamed.has(id) ? id : undefined;
  }

  #takeBolt(component: Component, from: string): ComponentTakeover {
    const { id, settings } = component;
    const { parallelism: tasks } = settings;
    const { state, timers } = declarations(component);
    const shapes = shapesOf(id, state, timers);
    const kept = this.#saved.components.includes(from) ? this.#saved.state(from) : [];
    const saved = distinct(kept.map((part) => part.shapes));
    const drop = [...new Set(saved.flatMap(namesOf))].filter((name) =>
      [from, id].some((of) => this.#isDropped(`${of}.${name}`)),
    );
    for (const was of saved) {
      try {
        takeover(id, was, { shapes, specs: state }, drop);
      } catch (thrown) {
        if (!(thrown instanceof MillraceError)) throw thrown;
        this.#problems.push(thrown);
      }
    }
    const parts = partsOf(saved.at(-1), shapes, drop);
    const isMigrated = parts.some(({ fate }) => fate === 'migrated');
    return { component: id, kind: 'bolt', fate: isMigrated ? 'migrated' : 'taken', from, parts, drop, tasks, count: 0 };
  }

  /** What the checkpoint has of components that are not there any more. */
  #rest(now: readonly ComponentTakeover[]): ComponentTakeover[] {
    const rest: ComponentTakeover[] = [];
    for (const kind of ['spout', 'bolt', 'sink'] as const) {
      const taken = new Set(now.filter((of) => of.kind === kind).map(({ component }) => component));
      for (const name of this.#names[kind]) {
        const renamed = (kind === 'sink' ? undefined : this.#choice.renamed.get(name)) ?? name;
        if (taken.has(renamed)) continue;
        const isDropped = this.#isDropped(name);
        const isSaid = renamed !== name && !this.#built.components.has(renamed);
        if (!isDropped && !isSaid) this.#gone.push(goneText(kind, name));
        const fate = isDropped ? 'dropped' : 'missing';
        rest.push({ component: name, kind, fate, from: undefined, parts: [], drop: [], tasks: 0, count: 0 });
      }
    }
    return rest;
  }

  /** Several may not become one; and nothing becomes what is not there. */
  #checkRenames(): void {
    const { renamed } = this.#choice;
    for (const [old, now] of renamed) {
      const kinds = (['spout', 'bolt'] as const).filter((kind) => this.#names[kind].has(old));
      if (kinds.length === 0) continue;
      this.#used.add(`${old}=${now}`);
      if (!this.#built.components.has(now)) {
        this.#gone.push(`'${old}' was to be renamed to '${now}', and there is no '${now}'`);
        continue;
      }
      const others = [...renamed].filter(([from, to]) => to === now && from !== old).map(([from]) => from);
      const own = kinds.some((kind) => this.#names[kind].has(now)) && !renamed.has(now) ? [now] : [];
      for (const other of [...others, ...own].filter((name) => kinds.some((kind) => this.#names[kind].has(name))))
        this.#gone.push(`'${old}' and '${other}' of the checkpoint would both become '${now}'`);
    }
  }

  #isDropped(name: string): boolean {
    if (!this.#choice.dropped.has(name)) return false;
    this.#used.add(name);
    return true;
  }

  #unused(): string[] {
    const { renamed, dropped } = this.#choice;
    return [...[...renamed].map(([old, now]) => `${old}=${now}`), ...dropped].filter((name) => !this.#used.has(name));
  }
}

function goneText(kind: Component['kind'], name: string): string {
  if (kind === 'sink') {
    const crash = 'after a crash, start it as it was first';
    return `outputs of sink '${name}'; if it was stopped in good order they are published, so give them up here (--drop ${name}); ${crash}`;
  }
  const what = { spout: 'the positions of spout', bolt: 'the state of' }[kind];
  return `${what} '${name}'; name it as before, say what it is called now (--rename ${name}=NEW), or give this up (--drop ${name})`;
}

function declarations(component: Component): { readonly state: StateSpecs; readonly timers: TimerSpecs } {
  return component.kind === 'bolt' && component.code.kind === 'bolt' ? component.code : { state: {}, timers: {} };
}

/** What a checkpoint has something of. */
function keepsSomething(component: Component): boolean {
  if (component.kind === 'spout') return component.code.kind === 'log';
  const { state, timers } = declarations(component);
  return Object.keys(state).length + Object.keys(timers).length > 0;
}

function beginning(component: Component): ComponentTakeover {
  const { id, kind, settings } = component;
  const { state, timers } = declarations(component);
  const parts = partsOf(undefined, shapesOf(id, state, timers), []);
  return { component: id, kind, fate: 'new', from: undefined, parts, drop: [], tasks: settings.parallelism, count: 0 };
}

function partsOf(saved: Shapes | undefined, declared: Shapes, drop: readonly string[]): PartTakeover[] {
  const states = new Map(declared.states.map((shape) => [shape.name, shape]));
  const timers = new Set(declared.timers.map(({ name }) => name));
  const parts: PartTakeover[] = [];
  for (const was of saved?.states ?? []) {
    const is = states.get(was.name);
    parts.push({ name: was.name, what: 'state', fate: fateOf(was, is, drop), was: was.version, is: is?.version });
    states.delete(was.name);
  }
  for (const { name } of saved?.timers ?? []) {
    const fate = timers.delete(name) && !drop.includes(name) ? 'taken' : 'dropped';
    parts.push({ name, what: 'timer', fate, was: undefined, is: undefined });
  }
  const isNew = { fate: 'new', was: undefined } as const;
  for (const { name, version } of states.values()) parts.push({ name, what: 'state', ...isNew, is: version });
  for (const name of timers) parts.push({ name, what: 'timer', ...isNew, is: undefined });
  return parts;
}

function fateOf(was: StateShape, is: StateShape | undefined, drop: readonly string[]): PartTakeover['fate'] {
  if (is === undefined || drop.includes(was.name)) return 'dropped';
  return is.version > was.version ? 'migrated' : 'taken';
}

const namesOf = ({ states, timers }: Shapes) => [...states, ...timers].map(({ name }) => name);

/** Parts that were saved before a start may have other shapes than later ones. */
function distinct(shapes: readonly Shapes[]): readonly Shapes[] {
  return [...new Map(shapes.map((one) => [JSON.stringify(one), one])).values()];
}
