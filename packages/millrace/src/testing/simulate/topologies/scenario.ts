/** Topologies of our own that are simulated by the thousands, and what they are made of. */
import type { Topology } from '../../../topology/topology.ts';
import type { SimulateOptions } from '../options.ts';

export interface Scenario {
  readonly topology: Topology;
  /** Inputs and the model, for one seed. */
  readonly options: (random: () => number) => SimulateOptions;
}

/** One of these, at random. */
export function oneOf<T>(random: () => number, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)]!;
}
