/** From a run that fails to a smaller one that fails as well: fewer faults, and then fewer records. */
import type { Fault } from './faults.ts';
import type { Figures } from './outcome.ts';

/** What may be left out of a run. */
export interface Case {
  readonly faults: readonly Fault[];
  /** The first so many of each input; infinity: all. */
  readonly records: number;
}

export interface Attempt {
  /** Undefined: all is as it must be. */
  readonly problem: string | undefined;
  readonly trace: readonly string[];
  readonly figures?: Figures;
}

export interface Failing extends Case {
  readonly failed: Attempt;
}

const MOST_ATTEMPTS = 60;

/** `most`: records of the longest input. */
export async function shrunk(
  whole: Case,
  failed: Attempt,
  attempt: (some: Case) => Promise<Attempt>,
  most: number,
): Promise<Failing> {
  let least: Failing = { ...whole, failed };
  let attempts = 0;
  const isEnough = async (some: Case): Promise<boolean> => {
    attempts++;
    const tried = await attempt(some);
    if (tried.problem === undefined) return false;
    least = { ...some, failed: tried };
    return true;
  };
  // Halves of the faults, then quarters, and in the end one by one.
  for (let size = Math.ceil(whole.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < least.faults.length && attempts < MOST_ATTEMPTS; ) {
      const faults = least.faults.filter((_, i) => i < from || i >= from + size);
      if (!(await isEnough({ ...least, faults }))) from += size;
    }
  }
  for (let records = Math.ceil(most / 2); records > 1 && attempts < MOST_ATTEMPTS; records = Math.ceil(records / 2))
    if (!(await isEnough({ ...least, records }))) break;
  return least;
}
