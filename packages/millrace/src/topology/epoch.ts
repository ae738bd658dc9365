/**
 * Epochs (law 4): what comes between two checkpoints. The id of an epoch is ordered and never reused: each start of a
 * topology is a new incarnation, and numbers only grow.
 */
export interface Epoch {
  /** From 1: which start of the topology made the epoch. */
  readonly incarnation: number;
  /** From 1: that of its checkpoint. A start goes on after the checkpoint that it restores. */
  readonly number: number;
}

/** Negative: `a` is older. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.incarnation - b.incarnation || a.number - b.number;
}

/** For people: `3.17` is the 17th epoch, made by the third start. */
export function epochText({ incarnation, number }: Epoch): string {
  return `${incarnation}.${number}`;
}
