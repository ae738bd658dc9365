/**
 * The shapes of what a store keeps: they are written with each snapshot, and compared before one is restored. What the
 * declarations do not tell (`type<T>()`, an initial `undefined`) is unknown, and is not compared.
 */
import { MillraceError } from '../errors.ts';
import { jsonSchemaOf } from '../topology/schema.ts';
import type { StateSpec, StateSpecs } from '../topology/state-spec.ts';
import type { TimerDomain, TimerSpecs } from '../topology/timer-spec.ts';
import { spanOf } from './expiry.ts';
import type { Structure } from './structure.ts';
import { structureOf, structureOfSchema, UNKNOWN } from './structure.ts';

export interface StateShape {
  readonly name: string;
  readonly kind: StateSpec<unknown>['kind'];
  readonly version: number;
  /** Of the value, or of the elements. */
  readonly structure: Structure;
  /** By which time what is kept lives; undefined: for ever. */
  readonly ttl: TimerDomain | undefined;
}

export interface Shapes {
  readonly states: readonly StateShape[];
  readonly timers: readonly { readonly name: string; readonly domain: TimerDomain }[];
}

export function shapesOf(component: string, specs: StateSpecs, timers: TimerSpecs): Shapes {
  return {
    states: Object.entries(specs).map(([name, spec]) => stateShape(component, name, spec)),
    timers: Object.entries(timers).map(([name, domain]) => ({ name, domain })),
  };
}

function stateShape(component: string, name: string, spec: StateSpec<unknown>): StateShape {
  const { version = 1, ttl } = spec.options;
  if (!(Number.isSafeInteger(version) && version > 0)) {
    throw new MillraceError('MR_OPTION', [component, `the version of state '${name}'`, version, 'a positive integer']);
  }
  const span = ttl === undefined ? undefined : spanOf(ttl);
  if (span?.ms === 0) {
    throw new MillraceError('MR_OPTION', [component, `the ttl of state '${name}'`, 0, 'longer than nothing']);
  }
  return { name, kind: spec.kind, version, structure: structureFor(spec), ttl: span?.domain };
}

function structureFor({ kind, initial, schema }: StateSpec<unknown>): Structure {
  if (kind === 'value' || kind === 'reducing') return structureOf(initial);
  return schema === undefined ? UNKNOWN : structureOfSchema(jsonSchemaOf(schema));
}
