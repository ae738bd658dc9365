/** One run of a bolt through a scenario, in one of the ways. */
import { milliseconds } from '../../duration.ts';
import { simulatedRuntime } from '../../runtime/simulated.ts';
import type { Key } from '../../topology/key.ts';
import type { AnyBolt, KeyFunction } from './probe.ts';
import { Faults, Probe } from './probe.ts';
import type { AnyStep } from './scenario.ts';
import { isInput } from './scenario.ts';
import type { Came, KeyOf } from './stage.ts';
import { Stage } from './stage.ts';
import type { Run } from './ways.ts';

export interface Ran {
  readonly came: readonly Came[];
  /** Why it could not go on. */
  readonly failure: string | undefined;
  /** Calls that can fail. */
  readonly calls: number;
  /** The step that was made to fail last. */
  readonly failed: string;
  /** There was more than one task at some time. */
  readonly spread: boolean;
  readonly keys: readonly Key[];
}

interface Keying {
  readonly key: KeyOf;
  readonly keyOf: KeyFunction;
}

export async function runOnce(bolt: AnyBolt, keying: Keying, run: Run): Promise<Ran> {
  const { steps, parallelism = 1, moves = new Map<number, number>() } = run;
  const faults = new Faults(run.throws);
  const probe = new Probe(faults, keying.keyOf);
  const came: Came[] = [];
  const runtime = simulatedRuntime({ seed: 1 });
  const named = new Set(steps.filter(isInput).map((step) => step[2]));
  const inputs = named.size === 0 ? [undefined] : [...named];
  const options = {
    bolt,
    probe,
    ...keying,
    inputs,
    slot: run.slot !== undefined,
    encode: run.encode ?? false,
    runtime,
    came,
  };
  let stage = new Stage({ ...options, parallelism });
  for (let i = 0; i < steps.length && stage.failure === undefined; ) {
    const next = batchEnd(run, i);
    await take(stage, steps.slice(i, next), run);
    i = next;
    if (run.increments) await stage.save();
    if (run.crash?.at === i - 1) await stage.begin();
    if (run.crash?.after === i - 1 && stage.mayMove) {
      stage = await stage.crashed();
      i = run.crash.at + 1;
      run = { ...run, crash: undefined };
    }
    const tasks = moves.get(i - 1);
    if (tasks !== undefined && stage.mayMove) stage = await stage.moved(tasks);
  }
  if (stage.failure === undefined) stage.watermark(Number.POSITIVE_INFINITY);
  const { keys } = await stage.close();
  const spread = parallelism > 1 || [...moves.values()].some((tasks) => tasks > 1);
  return { came, failure: stage.failure, calls: faults.calls, failed: faults.last, spread, keys };
}

/** Inputs of one name right behind each other may come together, if no move comes between them. */
function batchEnd({ steps, together, moves }: Run, from: number): number {
  const first = steps[from]!;
  let end = from + 1;
  if (!isInput(first) || together === undefined) return end;
  for (; end < steps.length && together(end) && !moves?.has(end - 1); end++) {
    const step = steps[end]!;
    if (!isInput(step) || step[2] !== first[2]) break;
  }
  return end;
}

async function take(stage: Stage, batch: readonly AnyStep[], { slot }: Run): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  if (isInput(first)) {
    await stage.room(slot === 'eager');
    stage.feed(first[2], batch as never);
  } else if ('watermark' in first) stage.watermark(first.watermark);
  else await stage.pass(milliseconds(first.advance));
  if (slot === undefined || stage.goesByClock) await stage.quiet();
}
