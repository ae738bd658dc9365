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

/** One way from a spout to a sink, or to a bolt that emits nothing that anybody takes. */
export interface Path {
  readonly components: readonly string[];
  readonly guarantee: PathGuarantee;
  /** Why it is not exactly-once; empty where it is. */
  readonly limits: readonly string[];
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
  const paths = waysThrough(built).map((components) => pathOf(components, asked));
  const less = asked === 'exactly-once' ? paths.filter(({ guarantee }) => guarantee !== 'exactly-once') : [];
  if (less.length > 0) {
    const shown = less.map(({ components, limits }) => `${components.join(' → ')}: ${limits.join(', ')}`);
    throw new MillraceError('MR_GUARANTEE', [asked!, name, shown]);
  }
  return { topology: name, asked, keeps: keepsOf(built, paths, asked), paths };
}

function keepsOf(built: Built, paths: readonly Path[], asked: Guarantee | undefined): Receipt['keeps'] {
  if (asked === 'at-most-once') return 'nothing';
  const exact = paths.some(({ guarantee }) => guarantee === 'exactly-once');
  return exact || [...built.components.values()].some(isStateful) ? 'checkpoints' : 'acking';
}

/** It keeps something between its inputs that a restart must bring back. */
export function isStateful(component: Component): boolean {
  if (component.kind !== 'bolt' || component.code.kind !== 'bolt') return false;
  const { state, timers } = component.code;
  return Object.keys(state).length + Object.keys(timers).length > 0;
}

function pathOf(components: readonly Component[], asked: Guarantee | undefined): Path {
  const ids = components.map(({ id }) => id);
  if (asked === 'at-most-once') return { components: ids, guarantee: asked, limits: ['it was asked for no more'] };
  const limits: string[] = [];
  const [spout, end] = [components[0]!, components.at(-1)!];
  let guarantee: PathGuarantee = 'exactly-once';
  if (end.kind === 'sink' && end.sink.mode === 'upsert') {
    guarantee = 'convergent';
    limits.push(`sink '${end.id}' writes by key at once`);
  }
  if (end.kind === 'sink' && end.sink.mode === 'append') {
    guarantee = 'at-least-once';
    limits.push(`sink '${end.id}' adds at once, and what is replayed is added again`);
  }
  if (asked === 'at-least-once' && guarantee === 'exactly-once') {
    guarantee = 'at-least-once';
    limits.push('it was asked for no more');
  }
  if (spout.kind === 'spout' && spout.code.kind === 'queue') {
    guarantee = guarantee === 'convergent' ? guarantee : 'at-least-once';
    limits.push(
      `queue spout '${spout.id}' may give a message again that it has given before, and loses those without an id`,
    );
  }
  return { components: ids, guarantee, limits };
}

/** Every way from a spout to a component that gives nothing on. */
function waysThrough(built: Built): readonly (readonly Component[])[] {
  const ways: Component[][] = [];
  const follow = (way: readonly Component[]): void => {
    const last = way.at(-1)!;
    const next = [...built.components.values()].filter((c) => c.inputs.some(({ from }) => from.component === last.id));
    if (next.length === 0) ways.push([...way]);
    for (const component of next) follow([...way, component]);
  };
  for (const component of built.components.values()) if (component.kind === 'spout') follow([component]);
  return ways;
}
