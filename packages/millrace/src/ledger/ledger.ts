/**
 * The ledger (law 8): every record that did not come out at the other end has one entry, with its cause, its place and
 * its payload. This file is the seam; the stores behind it pass one conformance suite.
 */

/** Why a record did not come out. */
export type LedgerCause =
  /** The record has no value. */
  | 'null'
  /** The codec or the schema refused its bytes. */
  | 'malformed'
  /** Its key for a keyed edge is null or no key. */
  | 'key'
  /** User code threw, and its retries are used up. */
  | 'error'
  /** It came after its window, or whatever else wanted it, had closed. */
  | 'late'
  /** Its event time is no time, or too far ahead of the clock. */
  | 'time'
  /** A bolt did not want it. */
  | 'dropped';

/** Where a record came from: one spout, one split (a topic's partition, a file), one position (an offset, a byte). */
export interface Origin {
  readonly spout: string;
  readonly split: string;
  readonly position: number;
}

export interface LedgerEntry {
  /** From origin, component, output index and cause: the same failure of the same record, replayed, has the same id. */
  readonly id: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly topology: string;
  /** The component that could not take the record; its input, where it names them. */
  readonly component: string;
  readonly input: string | undefined;
  readonly cause: LedgerCause;
  readonly detail: string;
  readonly origin: Origin | undefined;
  /** Event time of the record in milliseconds. */
  readonly time: number;
  /** `record`: the bytes as the source held them; `value`: a value between components, structured-clone encoded. */
  readonly encoding: 'record' | 'value';
  /** Null where the record had none, or where `shed` says that it was given up for space. */
  readonly payload: Uint8Array | null;
  readonly shed: boolean;
  /** When it was last replayed, wall-clock milliseconds. */
  readonly replayed: number | undefined;
}

export type NewEntry = Omit<LedgerEntry, 'shed' | 'replayed'>;

export interface LedgerQuery {
  readonly topology?: string;
  readonly component?: string;
  readonly cause?: LedgerCause;
  /** Newest first; default 100. */
  readonly limit?: number;
}

export interface Ledger {
  /** Adds the entry unless its id is there already. Resolves when it survives a crash; only then may its record be acked. */
  record(entry: NewEntry): Promise<void>;
  list(query?: LedgerQuery): readonly LedgerEntry[];
  get(id: string): LedgerEntry | undefined;
  /** How many entries there are, by component and cause; `shed` counts those whose payload was given up. */
  counts(): readonly {
    readonly topology: string;
    readonly component: string;
    readonly cause: LedgerCause;
    readonly count: number;
    readonly shed: number;
  }[];
  markReplayed(id: string, at: number): void;
  close(): Promise<void>;
}
