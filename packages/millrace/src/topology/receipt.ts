/**
 * The receipt of a topology: what each path from a spout to an end gets, and what limits it. It follows from the
 * declarations alone, so it can be told, and refused, before the first record.
 */
import { MillraceError } from '../errors.ts';
import type { Component } from './plan.ts';
import type { Built } from './topology.ts';

export type Guarantee = 'at-most-once' | 'at-least-once' | 'exactly-once';
/** `convergent`: written by key at once, so the last word on each key is right, and earlier ones may be seen again. */
export type PathGuarantee = Guarantee | 'convergent';

/** All the ways from a spout to a sink, or to a bolt that gives nothing on. */
export interface Path {
  readonly spout: string;
  readonly end: string;
  /** Those on the ways, both ends included, in the order of the topology. */
  readonly components: readonly string[];
  readonly guarantee: PathGuarantee;
  /** Why it is not exactly-once; empty where it is. */
  readonly limits: readonly Limit[];
  /** What the guarantee does not say by itself. */
  readonly note?: string;
}

export interface Limit {
  readonly why: string;
  /** What to change to get more. */
  readonly remedy: string;
}

export interface Receipt {
  readonly topology: string;
  /** Undefined: each path gets the most that it allows. */
  readonly asked: Guarantee | undefined;
  /** How the engine keeps its word: checkpoints of state, positions and outputs; tuple trees; or not at all. */
  readonly keeps: 'checkpoints' | 'acking' | 'nothing';
  readonly paths: readonly Path[];
}

/** MR_GUARANTEE when a path cannot give what is asked for. */
export function receiptOf(built: Built, asked: Guarantee | undefined): Receipt {
  const { name } = built.plan;
  const ways = waysThrough(built);
  const keeps = keepsOf(built, ways, asked);
  const paths = ways.map((way) => pathOf(way, asked, keeps));
  const less = asked === 'exactly-once' ? paths.filter(({ guarantee }) => guarantee !== asked) : [];
  if (less.length > 0) {
    const shown = less.map(({ spout, end, limits }) => `${spout} → ${end}: ${limits.map(({ why }) => why).join(', ')}`);
    throw new MillraceError('MR_GUARANTEE', ['exactly-once', name, shown]);
  }
  return { topology: name, asked, keeps, paths };
}

/** From a spout to an end, with all that lies between. */
type Way = readonly Component[];

function keepsOf(built: Built, ways: readonly Way[], asked: Guarantee | undefined): Receipt['keeps'] {
  if (asked === 'at-most-once') return 'nothing';
  const isExact = asked !== 'at-least-once' && ways.some((way) => limitsOf(way, undefined).length === 0);
  return isExact || [...built.components.values()].some(isStateful) ? 'checkpoints' : 'acking';
}

/** It keeps something between its inputs that a restart must bring back. */
function isStateful(component: Component): boolean {
  if (component.kind !== 'bolt' || component.code.kind !== 'bolt') return false;
  const { state, timers } = component.code;
  return Object.keys(state).length + Object.keys(timers).length > 0;
}

function pathOf(way: Way, asked: Guarantee | undefined, keeps: Receipt['keeps']): Path {
  const [spout, end] = [way[0]!, way.at(-1)!];
  const outside = `what bolt '${end.id}' does to the outside world is under no guarantee`;
  const isState = end.kind === 'bolt' && isStateful(end);
  const common = { spout: spout.id, end: end.id, components: way.map(({ id }) => id) };
  const limits = asked === 'at-most-once' ? [ASKED] : limitsOf(way, asked);
  return {
    ...common,
    guarantee: guaranteeOf(way, asked, keeps, limits),
    limits,
    ...(isState ? { note: `of its state; ${outside}` } : {}),
  };
}

function guaranteeOf(
  way: Way,
  asked: Guarantee | undefined,
  keeps: Receipt['keeps'],
  limits: readonly Limit[],
): PathGuarantee {
  if (asked === 'at-most-once') return asked;
  if (limits.length === 0) return 'exactly-once';
  const [spout, end] = [way[0]!, way.at(-1)!];
  if (end.kind !== 'sink' || end.sink.mode !== 'upsert' || isQueue(spout) || mixesKeys(end)) return 'at-least-once';
  // A record that is given again alone may come behind a later one of its key, whose row it would write over.
  return keeps === 'acking' && way.some(isManual) ? 'at-least-once' : 'convergent';
}

const ASKED: Limit = {
  why: 'no more was asked for',
  remedy: 'leave --guarantee out: each path gets the most it allows',
};

function limitsOf(way: Way, asked: Guarantee | undefined): Limit[] {
  const limits: Limit[] = [];
  const [spout, end] = [way[0]!, way.at(-1)!];
  if (end.kind === 'sink' && end.sink.mode === 'upsert') {
    const remedy = 'a sink of mode transactional shows rows only once they count';
    limits.push({ why: `sink '${end.id}' writes by key at once`, remedy });
  }
  if (end.kind === 'sink' && mixesKeys(end)) {
    const remedy = 'group its input by the key of its rows, or leave it one task';
    const why = `the ${end.settings.parallelism} tasks of '${end.id}' may write two rows of one key in the wrong order`;
    limits.push({ why, remedy });
  }
  if (end.kind === 'sink' && end.sink.mode === 'append') {
    const remedy =
      'a sink of mode transactional, such as topicSink, adds each value once; one of mode upsert converges';
    limits.push({ why: `sink '${end.id}' adds at once, and what is replayed is added again`, remedy });
  }
  if (end.kind !== 'sink' && !isStateful(end)) {
    const remedy = 'let a transactional sink write what must be written once, or keep it in state';
    const why = `'${end.id}' ends it without state or a sink, and may be given a record again`;
    limits.push({ why, remedy });
  }
  if (isQueue(spout)) {
    const remedy = 'write the messages of a queue to a topic first: what goes on from there is exactly-once';
    const why = `queue spout '${spout.id}' may give a message again, and loses those without an id`;
    limits.push({ why, remedy });
  }
  return limits.length === 0 && asked === 'at-least-once' ? [ASKED] : limits;
}

/** Rows of one key may come to several tasks of it. */
function mixesKeys({ kind, inputs, settings, ...component }: Component): boolean {
  if (kind !== 'sink' || !('sink' in component) || component.sink.mode !== 'upsert') return false;
  const keyed = ['fields', 'keyBy', 'global'];
  return settings.parallelism > 1 && inputs.some(({ grouping }) => !keyed.includes(grouping.kind));
}

const isQueue = (component: Component) => component.kind === 'spout' && component.code.kind === 'queue';
const isManual = (component: Component) => component.kind === 'bolt' && component.code.kind === 'manual';

/** Of each spout and each end that it reaches: all that lies between. A spout that nobody reads has no path. */
function waysThrough(built: Built): readonly Way[] {
  const components = [...built.components.values()];
  const reached = (from: Component): ReadonlySet<string> => {
    const ids = new Set([from.id]);
    // Declaration order is topological order.
    for (const { id, inputs } of components) if (inputs.some(({ from: of }) => ids.has(of.component))) ids.add(id);
    return ids;
  };
  const reachedBy = new Map(components.map((component) => [component.id, reached(component)]));
  const isEnd = ({ id }: Component) => reachedBy.get(id)!.size === 1;
  return components.flatMap((spout) =>
    spout.kind !== 'spout'
      ? []
      : components
          .filter((end) => end !== spout && isEnd(end) && reachedBy.get(spout.id)!.has(end.id))
          .map((end) =>
            components.filter(({ id }) => reachedBy.get(spout.id)!.has(id) && reachedBy.get(id)!.has(end.id)),
          ),
  );
}
