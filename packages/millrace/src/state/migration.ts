/**
 * Taking over saved state (law 6): which saved state becomes which declared one. What does not fit is refused before any
 * data is touched, all of it at once, with the migration to write.
 */
import { MillraceError } from '../errors.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import type { Shapes, StateShape } from './shape.ts';
import type { Structure } from './structure.ts';
import { agree, field, textOf } from './structure.ts';

/** What becomes of one saved state. */
export interface Taken {
  /** The number of the declared state. */
  readonly index: number;
  /** For what was saved by an older version. */
  readonly migrate: ((saved: unknown) => unknown) | undefined;
  readonly version: number;
  /** Whether the times at which it was written mean the same as then. */
  readonly keepsTimes: boolean;
}

export interface Takeover {
  /** For each saved state; undefined: dropped. */
  readonly states: readonly (Taken | undefined)[];
  /** For each saved timer its name; undefined: dropped. */
  readonly timers: readonly (string | undefined)[];
}

/** `drop` are names of states and timers whose data is not wanted any more. */
export function takeover(
  component: string,
  saved: Shapes,
  { shapes, specs }: { readonly shapes: Shapes; readonly specs: StateSpecs },
  drop: readonly string[],
): Takeover {
  const problems: string[] = [];
  const refuse = (problem: string | undefined) => {
    if (problem !== undefined) problems.push(problem);
  };
  const states = saved.states.map((was) => {
    if (drop.includes(was.name)) return undefined;
    const index = shapes.states.findIndex(({ name }) => name === was.name);
    const is = shapes.states[index];
    if (is === undefined) {
      refuse(undeclared(component, 'state', was.name));
      return undefined;
    }
    const { initial, options } = specs[is.name]!;
    refuse(stateProblem(was, is, initial, options.migrate !== undefined));
    const migrate = options.migrate as ((saved: unknown, version: number) => unknown) | undefined;
    const isOlder = was.version < is.version;
    return {
      index,
      version: was.version,
      migrate: isOlder && migrate ? (kept: unknown) => migrate(kept, was.version) : undefined,
      keepsTimes: was.ttl === is.ttl,
    };
  });
  const timers = saved.timers.map((was) => {
    if (drop.includes(was.name)) return undefined;
    const is = shapes.timers.find(({ name }) => name === was.name);
    if (is === undefined) refuse(undeclared(component, 'timer', was.name));
    else if (is.domain !== was.domain) {
      refuse(`timer '${was.name}' was by ${was.domain} time, and is by ${is.domain} time now: give it another name`);
    }
    return is?.name;
  });
  if (problems.length > 0) throw new MillraceError('MR_STATE_SHAPE', [component, problems]);
  return { states, timers };
}

function undeclared(component: string, what: string, name: string): string {
  return `${what} '${name}' was saved, and is declared no more: declare it again, or give it up (--drop ${component}.${name})`;
}

function stateProblem(was: StateShape, is: StateShape, initial: unknown, migrates: boolean): string | undefined {
  const what = `state '${was.name}'`;
  if (was.version > is.version) {
    return `${what} was saved as version ${was.version}, and is declared as version ${is.version}: versions do not go back; run the newer code, or declare version ${was.version + 1} with a migrate`;
  }
  if (was.version < is.version) {
    if (migrates) return undefined;
    return `${what} was saved as version ${was.version}, and is declared as version ${is.version} without a migrate. ${advice(was, is, initial, is.version)}`;
  }
  if (was.kind === is.kind && agree(was.structure, is.structure)) return undefined;
  return `${what} was ${keptAs(was)}, and is ${keptAs(is)} now, under the same version ${is.version}. ${advice(was, is, initial, is.version + 1)}`;
}

/** The type of what a state keeps, as `migrate` gets it and gives it back. */
function keptAs({ kind, structure }: StateShape): string {
  if (kind === 'list') return textOf({ list: structure });
  return kind === 'map' ? `Map<string, ${textOf(structure)}>` : textOf(structure);
}

function advice(was: StateShape, is: StateShape, initial: unknown, version: number): string {
  const body = `migrate: (saved: ${keptAs(was)}): ${keptAs(is)} => ${conversion(was, is, initial)}`;
  return `Give it the options\n    { version: ${version}, ${body} }`;
}

const toFill = (is: StateShape) => `… /* ${keptAs(is)} */`;

/** A first draft. */
function conversion(was: StateShape, is: StateShape, initial: unknown): string {
  const isOne = (kind: string) => kind === 'value' || kind === 'reducing';
  if (isOne(was.kind) && isOne(is.kind)) return bracketed(converted(was.structure, is.structure, 'saved', initial));
  if (was.kind === 'list' && is.kind === 'list') {
    return `saved.map((old) => ${bracketed(converted(was.structure, is.structure, 'old', undefined))})`;
  }
  if (was.kind === 'map' && is.kind === 'map') {
    const part = converted(was.structure, is.structure, 'old', undefined);
    return `new Map([...saved].map(([name, old]) => [name, ${part}]))`;
  }
  return isOne(was.kind) && is.kind === 'list' && agree(was.structure, is.structure) ? '[saved]' : toFill(is);
}

const bracketed = (text: string) => (text.startsWith('{') ? `(${text})` : text);

function converted(was: Structure, is: Structure, from: string, initial: unknown): string {
  if (agree(was, is)) return from;
  if (is === 'string') return `String(${from})`;
  if (is === 'number' && (was === 'string' || was === 'bigint' || was === 'boolean')) return `Number(${from})`;
  if (typeof is === 'string' || !('fields' in is)) return standIn(is, initial);
  const had = typeof was === 'object' && 'fields' in was ? was.fields : {};
  const wanted = Object.entries(is.fields).filter(([name]) => Object.hasOwn(had, name) || !is.optional.includes(name));
  const parts = wanted.map(([name, part]) => {
    const start = (initial as { readonly [name: string]: unknown } | undefined)?.[name];
    const text = Object.hasOwn(had, name)
      ? converted(had[name]!, part, access(from, name), start)
      : standIn(part, start);
    return `${field(name)}: ${text}`;
  });
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`;
}

const access = (from: string, name: string) => (field(name) === name ? `${from}.${name}` : `${from}[${field(name)}]`);

/** What there is at first; the user will know better. */
function standIn(is: Structure, initial: unknown): string {
  if (initial !== undefined && initial !== null) {
    return typeof initial === 'bigint' ? `${initial}n` : (JSON.stringify(initial) ?? `… /* ${textOf(is)} */`);
  }
  if (is === 'number') return '0';
  if (is === 'string') return "''";
  if (is === 'boolean') return 'false';
  if (typeof is === 'object' && 'list' in is) return '[]';
  return typeof is === 'object' && 'record' in is ? '{}' : `… /* ${textOf(is)} */`;
}
