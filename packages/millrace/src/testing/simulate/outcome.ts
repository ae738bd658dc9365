/** What a simulated run gives back. */
import type { LedgerEntry } from '../../ledger/ledger.ts';
import type { PathGuarantee } from '../../topology/receipt.ts';

/** One value as it came in, or out. */
export interface TimedValue {
  readonly value: unknown;
  /** Event time, ms. */
  readonly time: number;
}

/** What came in, by topic or spout: as it stands in the topics, with what their producers wrote twice. */
export interface Inputs {
  readonly [input: string]: readonly TimedValue[];
}

/** How much was simulated. */
export interface Figures {
  /** Virtual milliseconds. */
  readonly time: number;
  readonly faults: number;
  /** Starts after the first. */
  readonly restarts: number;
  readonly checkpoints: number;
  /** Epochs published by sinks. */
  readonly published: number;
  readonly steps: number;
}

export interface Output {
  readonly guarantee: PathGuarantee;
  /** In the order in which they stand there; of a topic, partition by partition. */
  readonly came: readonly TimedValue[];
}

/** All that can be compared of a run. */
export interface Outcome {
  readonly inputs: Inputs;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly ledger: readonly LedgerEntry[];
  /** By component, key and state, as text. */
  readonly state: ReadonlyMap<string, string>;
  readonly figures: Figures;
  /** What happened, line by line. */
  readonly trace: readonly string[];
  /** The records of fed topics as they stand there, so that another run can be given the same. */
  readonly records: ReadonlyMap<string, readonly Written[]>;
}

/** A record of a fed topic. */
export interface Written {
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  /** When it was to come in, ms after the start. */
  readonly at: number;
}
