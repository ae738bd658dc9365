/**
 * The ways in which a bolt is put through one scenario. Each must give what the first one gave: the laws that say so are
 * 1 (one input, one step), 2 (order), 6 (state belongs to its key), 9 (downstream may be full) and 10 (values only).
 */
import type { AnyStep, Disorder } from './scenario.ts';
import { isInput, reordered } from './scenario.ts';

/** One run through a scenario. */
export interface Run {
  readonly steps: readonly AnyStep[];
  /** What was done to it here, for people; undefined where the name of the way says it. */
  readonly where?: string;
  readonly parallelism?: number;
  readonly encode?: boolean;
  /** Downstream takes one value at a time; `eager`: the source has its next value ready each time. */
  readonly slot?: 'patient' | 'eager';
  /** After step i the tasks are stopped, and as many new ones go on with what they kept. */
  readonly moves?: ReadonlyMap<number, number>;
  /** After each step a snapshot is taken of what has changed; a move goes by all of them. */
  readonly increments?: boolean;
  /** A snapshot is begun after step `at`, and taken while more steps go on; then the tasks are lost, and all starts from it. */
  readonly crash?: { readonly at: number; readonly after: number } | undefined;
  /** Whether the input at i comes together with the one before it. */
  readonly together?: (i: number) => boolean;
  readonly throws?: number | 'every' | (() => boolean);
  readonly seed?: number;
}

export interface Way {
  readonly name: string;
  /** Inputs come in another order: what they gave may, too. */
  readonly reorders?: boolean;
  /** Mixes the others: it says something new only if they say nothing. */
  readonly mixes?: boolean;
  readonly runs: Iterable<Run>;
}

export interface Given {
  readonly steps: readonly AnyStep[];
  /** Calls that can fail: of the run as given. */
  readonly calls: number;
  /** False: one task does it all, or there is no key by which it could be spread. */
  readonly spreads: boolean;
  readonly disorder: Disorder;
  readonly seed: number;
  /** How many random runs of each kind. */
  readonly rounds: number;
  readonly randomOf: (seed: number) => () => number;
  readonly shown: (step: AnyStep) => string;
}

/** At most so many positions are tried one by one; of more, a random part. */
const POSITIONS = 30;

export function waysOf(given: Given): readonly Way[] {
  const { steps, spreads, disorder } = given;
  const ways: Way[] = [
    { name: 'edges encoded', runs: [{ steps, encode: true }] },
    { name: 'one-slot output', runs: (['patient', 'eager'] as const).map((slot) => ({ steps, slot })) },
    { name: 'other batches', runs: batched(given) },
    { name: 'snapshot and restore', runs: restored(given) },
    { name: 'crash and recovery', runs: crashed(given) },
    { name: 'a step that throws once', runs: failing(given) },
    { name: 'keys in another order', runs: shuffled(given, { ...disorder, outOfOrder: undefined }) },
  ];
  if (spreads)
    ways.push({ name: 'more tasks', runs: [2, 3, 8].map((n) => ({ steps, parallelism: n, where: `${n} tasks` })) });
  const reorders = disorder.outOfOrder !== undefined;
  if (reorders) ways.push({ name: 'out of order', reorders, runs: shuffled(given, disorder) });
  ways.push({ name: 'all of it at once', reorders, mixes: true, runs: everything(given) });
  return ways;
}

function* batched({ steps, rounds, seed, randomOf }: Given): Generator<Run> {
  yield { steps, together: () => true };
  for (let round = 0; round < rounds; round++) {
    const random = randomOf(seed + round);
    const together = steps.map(() => random() < 0.5);
    yield { steps, seed: seed + round, together: (i) => together[i]! };
  }
}

function* restored(given: Given): Generator<Run> {
  const { steps, spreads, shown } = given;
  for (const i of positions(steps.length, given)) {
    const where = `after step ${i + 1} of ${steps.length}: ${shown(steps[i]!)}`;
    yield { steps, where, moves: new Map([[i, 1]]), increments: i % 2 === 1 };
    if (spreads) yield { steps, where: `${where}, from 3 tasks to 2`, parallelism: 3, moves: new Map([[i, 2]]) };
  }
  const each = (tasks: (i: number) => number) => new Map(steps.map((_, i) => [i, tasks(i)]));
  yield { steps, where: 'after every step', moves: each(() => 1) };
  const last = new Map([[steps.length - 1, 1]]);
  yield { steps, where: 'after the last step, from snapshots of what changed in each', moves: last, increments: true };
  if (!spreads) return;
  const tasks = [4, 1, 3, 16, 2];
  yield { steps, where: 'after every step, with other numbers of tasks', moves: each((i) => tasks[i % tasks.length]!) };
}

/** A clock that goes on would not go through the same twice. */
function* crashed(given: Given): Generator<Run> {
  const { steps, shown } = given;
  const random = given.randomOf(given.seed);
  for (const at of positions(steps.length - 1, given)) {
    const clock = steps.findIndex((step, i) => i > at && !isInput(step) && 'advance' in step);
    const end = clock < 0 ? steps.length : clock;
    const after = at + 1 + Math.floor(random() * (end - at - 1));
    if (after >= end) continue;
    const where = `after step ${after + 1}, to the snapshot begun after step ${at + 1} of ${steps.length}`;
    yield { steps, where: `${where}: ${shown(steps[at]!)}`, crash: { at, after } };
  }
}

function* failing(given: Given): Generator<Run> {
  for (const call of positions(given.calls, given)) yield { steps: given.steps, throws: call };
  yield { steps: given.steps, throws: 'every', where: 'every step' };
}

function* shuffled({ steps, rounds, seed, randomOf }: Given, disorder: Disorder): Generator<Run> {
  const before = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const order = reordered(steps, disorder, randomOf(seed + round));
    const name = order.map((step) => steps.indexOf(step)).join();
    if (before.has(name)) continue;
    before.add(name);
    yield { steps: order, seed: seed + round };
  }
}

function* everything({ steps, rounds, seed, randomOf, spreads, disorder }: Given): Generator<Run> {
  const tasks = spreads ? [1, 2, 3, 5] : [1];
  for (let round = 0; round < rounds; round++) {
    const random = randomOf(seed + round);
    const order = reordered(steps, disorder, random);
    const oneOf = <T>(many: readonly T[]): T => many[Math.floor(random() * many.length)]!;
    const slot = oneOf([undefined, 'patient', 'eager'] as const);
    const moves = order.flatMap((_, i) => (random() < 0.2 ? [[i, oneOf(tasks)] as const] : []));
    const together = order.map(() => random() < 0.3);
    yield {
      steps: order,
      seed: seed + round,
      ...(slot && { slot }),
      encode: random() < 0.5,
      parallelism: oneOf(tasks),
      moves: new Map(moves),
      together: (i) => together[i]!,
      throws: () => random() < 0.1,
    };
  }
}

function positions(count: number, { seed, randomOf }: Given): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (count <= POSITIONS) return all;
  const random = randomOf(seed);
  const chosen = all.map((i) => ({ i, rank: random() })).sort((a, b) => a.rank - b.rank);
  return chosen
    .slice(0, POSITIONS)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
}
