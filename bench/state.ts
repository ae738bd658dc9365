/**
 * Keyed state and timers by themselves: what a million live keys weigh, and how many reads, writes and timers there are
 * in a second. A Map that holds the same numbers is measured in the same run.
 */

import type { Timer, ValueState } from '../packages/millrace/src/index.ts';
import { value } from '../packages/millrace/src/index.ts';
import { KeyedState } from '../packages/millrace/src/state/keyed-state.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';

const KEYS = 1_000_000;
const STEPS = 3_000_000;
const TIMERS = 2_000_000;
const ROUNDS = 3;

const names = Array.from({ length: KEYS }, (_, n) => `customer-${n}`);

function store(): KeyedState {
  return new KeyedState({
    component: 'bench',
    specs: { total: value(0) },
    timers: { due: 'event' },
    freeze: (of) => of,
    now: () => 0,
  });
}

function heap(): number {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

/** Bytes per key, for a Map and for the store; the keys themselves are there before. */
function memoryPerKey(): { readonly map: number; readonly state: number } {
  const before = heap();
  const map = new Map<string, number>();
  for (const name of names) map.set(name, 1);
  const withMap = heap();
  const state = store();
  const total = state.handles.total as ValueState<number>;
  for (const name of names) {
    state.enter(name);
    total.set(1);
    state.commit();
  }
  const withBoth = heap();
  if (map.size + state.size !== 2 * KEYS) throw new Error('keys are missing');
  return { map: (withMap - before) / KEYS, state: (withBoth - withMap) / KEYS };
}

/** Steps that add one to the value of a key, over all keys. */
function steps(): { readonly map: number; readonly state: number } {
  const map = new Map<string, number>();
  const state = store();
  const total = state.handles.total as ValueState<number>;
  const time = (step: (name: string) => void): number => {
    const started = performance.now();
    for (let n = 0; n < STEPS; n++) step(names[(n * 7919) % KEYS]!);
    return STEPS / 1000 / (performance.now() - started);
  };
  return {
    map: time((name) => void map.set(name, (map.get(name) ?? 0) + 1)),
    state: time((name) => {
      state.enter(name);
      total.set(total.get() + 1);
      state.commit();
    }),
  };
}

/** Timers set at as many different times, and then all told. */
function timers(): { readonly set: number; readonly told: number } {
  const state = store();
  const due = state.timers.due as Timer;
  let started = performance.now();
  for (let n = 0; n < TIMERS; n++) {
    state.enter(names[n % KEYS]!);
    due.set((n * 7919) % TIMERS);
    state.commit();
  }
  const set = TIMERS / 1000 / (performance.now() - started);
  started = performance.now();
  let told = 0;
  while (state.fire('event', TIMERS) !== undefined) {
    state.commit();
    told++;
  }
  if (told !== TIMERS || state.size !== 0) throw new Error(`${told} timers told, ${state.size} keys left`);
  return { set, told: TIMERS / 1000 / (performance.now() - started) };
}

async function run(): Promise<readonly Row[]> {
  if (globalThis.gc === undefined) {
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
  }
  const memory = memoryPerKey();
  const rates = { map: [] as number[], state: [] as number[], set: [] as number[], told: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const measured = { ...steps(), ...timers() };
    if (round > 0) for (const [name, rate] of Object.entries(measured)) rates[name as keyof typeof rates].push(rate);
  }
  return [
    { what: 'memory per key, a Map of numbers', value: memory.map, unit: 'bytes', note: 'the key itself not counted' },
    { what: 'memory per key, one value of state', value: memory.state, unit: 'bytes' },
    { what: 'a Map: get and set, 1 M keys', value: median(rates.map), unit: 'M/s' },
    { what: 'state: a step with get and set, 1 M keys', value: median(rates.state), unit: 'M/s' },
    { what: 'timers set, 2 M at different times', value: median(rates.set), unit: 'M/s' },
    { what: 'timers told', value: median(rates.told), unit: 'M/s' },
  ];
}

export const stateBench: Bench = {
  name: 'state',
  summary: 'keyed state and timers: bytes per key, steps and timers per second',
  run,
};
