/**
 * `simulate`: the user's own pipeline, whole, on a simulated machine, in virtual time, under faults that follow from a seed;
 * and whether what came out is right all the same. The same seed does the same, event for event.
 */
import { MillraceError, messageOf } from '../../errors.ts';
import type { LedgerEntry } from '../../ledger/ledger.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { Topology } from '../../topology/topology.ts';
import { wrong } from './compare.ts';
import type { Fault } from './faults.ts';
import { faultsOf, faultText } from './faults.ts';
import type { Planted } from './instance.ts';
import type { Plan, SimulateOptions } from './options.ts';
import { planOf } from './options.ts';
import type { Figures, Outcome } from './outcome.ts';
import { Run } from './run.ts';
import type { Attempt, Case, Failing } from './shrink.ts';
import { shrunk } from './shrink.ts';

export interface Simulated {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly figures: Figures;
  /** What happened, line by line, with virtual times in ms. */
  readonly trace: readonly string[];
}

/** Rejects with MR_SIMULATION: what is wrong, the last of what happened, and the call that does it again. */
export function simulate(topology: Topology, options: SimulateOptions): Promise<Simulated> {
  return simulatePlanted(topology, options, {});
}

/** For tests of the simulator: the same over an engine with a mistake in it. */
export async function simulatePlanted(
  topology: Topology,
  options: SimulateOptions,
  planted: Planted,
): Promise<Simulated> {
  const plan = planOf(options);
  const faults = plan.faults ?? faultsOf(seededRandom(plan.seed), plan.kinds, lastOf(plan));
  const attempt = (some: Case) =>
    attemptOf(topology, { ...plan, records: some.records }, options, some.faults, planted);
  const whole = { faults, records: plan.records };
  const first = await attempt(whole);
  if (first.problem === undefined) return { seed: plan.seed, faults, figures: first.figures!, trace: first.trace };
  const least =
    options.shrink === false ? { ...whole, failed: first } : await shrunk(whole, first, attempt, mostOf(plan));
  throw new MillraceError('MR_SIMULATION', [report(plan.seed, faults, least)]);
}

function mostOf({ feeds }: Plan): number {
  return Math.max(0, ...feeds.map(({ records }) => records.length));
}

/** When the last input comes. */
function lastOf({ feeds, start }: Plan): number {
  let last = 1000;
  for (const { records } of feeds) for (const [, time, at = time - start] of records) last = Math.max(last, at);
  return last;
}

async function attemptOf(
  topology: Topology,
  plan: Plan,
  options: SimulateOptions,
  faults: readonly Fault[],
  planted: Planted,
): Promise<Attempt> {
  const run = new Run(topology, plan, faults, planted);
  let outcome: Outcome;
  try {
    outcome = await run.outcome();
  } catch (thrown) {
    return { problem: messageOf(thrown), trace: run.machine.trace };
  }
  const { trace, figures } = outcome;
  try {
    return { problem: await problemOf(topology, plan, options, outcome), trace, figures };
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown;
    return { problem: `without any fault: ${messageOf(thrown)}`, trace };
  }
}

async function problemOf(
  topology: Topology,
  plan: Plan,
  { expect, check }: SimulateOptions,
  outcome: Outcome,
): Promise<string | undefined> {
  const { inputs } = outcome;
  if (check !== undefined) {
    const outputs = Object.fromEntries([...outcome.outputs].map(([name, { came }]) => [name, came]));
    try {
      check({ inputs, outputs, ledger: outcome.ledger });
    } catch (thrown) {
      return messageOf(thrown);
    }
    if (expect === undefined) return undefined;
  }
  if (expect !== undefined) return compared(plan, new Map(Object.entries(expect(inputs))), outcome);
  // What a planted mistake does without a fault is no measure.
  const without = await new Run(topology, plan, [], {}, outcome).outcome();
  const expected = new Map([...without.outputs].map(([name, { came }]) => [name, came.map(({ value }) => value)]));
  return compared(plan, expected, outcome) ?? comparedBeyond(without, outcome);
}

function compared(
  plan: Plan,
  expected: ReadonlyMap<string, readonly unknown[]>,
  { outputs }: Outcome,
): string | undefined {
  for (const [name, values] of expected) {
    const output = outputs.get(name);
    if (output === undefined)
      throw new MillraceError('MR_UNKNOWN_COMPONENT', ['what is expected', name, [...outputs.keys()]]);
    const own = plan.keys[name] ?? plan.outputs.find((topic) => topic.name === name)?.key;
    if (output.guarantee === 'convergent' && own === undefined)
      throw new MillraceError('MR_OPTION', ['simulate', `keys.${name}`, undefined, 'the key by which the sink writes']);
    const keyOf = plan.unordered.has(name) ? undefined : own;
    const came = output.came.map(({ value }) => value);
    const problem = wrong(name, values, came, {
      guarantee: output.guarantee,
      keyOf: output.guarantee === 'convergent' ? own : keyOf,
    });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** State and the ledger. */
function comparedBeyond(without: Outcome, { state, ledger }: Outcome): string | undefined {
  for (const place of new Set([...without.state.keys(), ...state.keys()])) {
    const [right = 'nothing', there = 'nothing'] = [without.state.get(place), state.get(place)];
    if (right !== there) return `the state of ${place} is ${there}, and was to be ${right}`;
  }
  return wrong('the ledger', without.ledger.map(entryOf), ledger.map(entryOf), {
    guarantee: 'exactly-once',
    keyOf: undefined,
  });
}

function entryOf({ component, input, cause, encoding, time, payload }: LedgerEntry): unknown {
  const bytes = payload === null ? null : Buffer.from(payload).toString('latin1');
  // A record that could not be read has no time of its own, but that of the clock.
  return { component, input, cause, payload: bytes, ...(encoding === 'value' && { time }) };
}

const LINES = 40;

function report(seed: number, all: readonly Fault[], { faults, records, failed }: Failing): string {
  const { problem, trace } = failed;
  const before = trace.length > LINES ? [`    … ${trace.length - LINES} lines before`] : [];
  const lines = [problem!, ...before, ...trace.slice(-LINES).map((line) => `    ${line}`)];
  const some = records === Number.POSITIVE_INFINITY ? '' : `, records: ${records}`;
  if (faults.length === 0) return [...lines, `seed ${seed}${some}: it fails without any fault`].join('\n');
  const call = `simulate(topology, { …, seed: ${seed}${some}, faults: [`;
  const enough = `seed ${seed}; ${all.length} faults, of which these are enough: ${call}`;
  return [...lines, enough, ...faults.map((fault) => `    ${faultText(fault)},`), '] })'].join('\n');
}
