/**
 * What one process can ask of another's data directory, method by method: the same table serves the control socket of a
 * running topology and, when nobody owns the files, the command that opens them itself.
 */
import type { GroupLag, TopicConfig } from '@millrace/broker';
import type { ControlCall } from '../engine/control-server.ts';
import type { ComponentEventTime, Explanation, Moment } from '../engine/explanation.ts';
import type { CheckpointStatus, TopologyMetrics, TopologyState } from '../engine/running.ts';
import type { LedgerCause, LedgerEntry } from '../ledger/ledger.ts';
import type { Receipt } from '../topology/receipt.ts';

/** Bytes as base64. */
export type Base64 = string;

export interface TopicSummary {
  readonly topic: string;
  readonly partitions: number;
  /** Offsets between earliest and latest, over all partitions. */
  readonly records: number;
  readonly bytes: number;
}
export interface TopicDetails {
  readonly topic: string;
  readonly id: string;
  readonly config: TopicConfig;
  readonly partitions: readonly {
    readonly partition: number;
    readonly earliest: number;
    readonly latest: number;
    readonly bytes: number;
    /** Why the partition refuses writes. */
    readonly error?: string;
  }[];
  readonly groups: readonly { readonly group: string; readonly lag: readonly Omit<GroupLag, 'topic'>[] }[];
}
export interface RecordToProduce {
  readonly partition?: number;
  readonly key: Base64 | null;
  readonly value: Base64 | null;
  readonly headers: readonly (readonly [name: string, value: Base64 | null])[];
}
export interface ConsumedRecord extends RecordToProduce {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
}
export type From = 'earliest' | 'latest' | { readonly offset: number } | { readonly time: number };

export interface EntrySummary extends Omit<LedgerEntry, 'payload'> {
  /** Bytes of its payload; null when there is none. */
  readonly size: number | null;
}
export interface EntryDetails extends EntrySummary {
  readonly payload: Base64 | null;
}
export interface LedgerCount {
  readonly topology: string;
  readonly component: string;
  readonly cause: LedgerCause;
  readonly count: number;
  readonly shed: number;
}

export interface Status {
  readonly pid: number;
  readonly data: string;
  readonly receipt: Receipt;
  readonly metrics: TopologyMetrics;
  /** Where checkpoints are made. */
  readonly checkpoints?: CheckpointStatus;
}
export interface KeptCheckpoint {
  /** Such as `3.17`. */
  readonly checkpoint: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  /** The one that its state goes on from. */
  readonly parent?: string;
  /** It was made at the topology's end: the next start begins anew. */
  readonly finished: boolean;
  /** What it added. */
  readonly bytes: number;
  readonly keys: number;
  /** Values of its epoch, by sink. */
  readonly outputs: { readonly [sink: string]: number };
  /** How far each split of each spout had been read; null: not begun. */
  readonly sources: { readonly [component: string]: { readonly [split: string]: number | null } };
}
export interface KeptCheckpoints {
  readonly topology: string;
  /** The newest first. */
  readonly kept: readonly KeptCheckpoint[];
  /** Why the next start would not go on from the newest by itself. */
  readonly problem?: string;
  /** Of the running topology. */
  readonly status?: CheckpointStatus;
}
export interface Savepoint {
  readonly topology: string;
  readonly checkpoint: string;
  readonly at: number;
  readonly directory: string;
}
/** What is kept for a key. */
export interface KeyedDetails {
  readonly component: string;
  /** Text as it is, any other key as JSON. */
  readonly key: string;
  /** Each declared state by its name, as a structured clone. */
  readonly state: Base64;
  readonly timers: readonly { readonly name: string; readonly time: Moment }[];
}

export interface State {
  readonly topology: string;
  readonly state: TopologyState;
}

/** Of each method: what it takes, what it answers, and the items it gives before. */
export interface Api {
  'topics.list': { params: Record<never, never>; result: readonly TopicSummary[] };
  'topics.describe': { params: { topic: string; group?: string }; result: TopicDetails };
  'topics.create': { params: { topic: string; partitions: number; config: object }; result: TopicDetails };
  'topics.alter': { params: { topic: string; config: object }; result: TopicDetails };
  'topics.delete': { params: { topic: string }; result: null };
  produce: {
    params: { topic: string; records: readonly RecordToProduce[] };
    result: readonly { readonly partition: number; readonly offset: number }[];
  };
  consume: {
    params: { topic: string; partition?: number; from: From; max?: number; follow?: boolean };
    item: ConsumedRecord;
    /** `complete` is false where it was ended from outside, before its end. */
    result: { readonly records: number; readonly complete: boolean };
  };
  'ledger.list': {
    params: { topology?: string; component?: string; cause?: string; limit?: number };
    result: { readonly entries: readonly EntrySummary[]; readonly counts: readonly LedgerCount[] };
  };
  'ledger.show': { params: { id: string }; result: EntryDetails };
  'ledger.replay': { params: { id: string }; result: null };
  explain: { params: { component: string; time?: number; key?: string }; result: Explanation };
  'event-time': {
    params: Record<never, never>;
    result: { readonly topology: string; readonly at: number; readonly components: readonly ComponentEventTime[] };
  };
  /** Keys are text, or JSON where they are something else. */
  'state.read': { params: { component: string; key: string }; result: KeyedDetails | null };
  'state.keys': {
    params: { component: string; limit?: number };
    /** `total`: all there are. */
    result: { readonly component: string; readonly keys: readonly string[]; readonly total: number };
  };
  'checkpoints.list': { params: Record<never, never>; result: readonly KeptCheckpoints[] };
  /** Paths are absolute. `beside`: where a folder is made if none is named. */
  savepoint: { params: { beside: string; directory?: string; topology?: string }; result: Savepoint };
  status: { params: Record<never, never>; result: Status };
  activate: { params: Record<never, never>; result: State };
  deactivate: { params: Record<never, never>; result: State };
  /** `drain`: event time goes to its end before. */
  stop: { params: { drain?: boolean }; result: State };
  kill: { params: Record<never, never>; result: State };
}
export type MethodName = keyof Api;
export type ItemOf<M extends MethodName> = Api[M] extends { item: infer I } ? I : never;

/** Some of the methods, as a server runs them. What arrives is checked by each: it came from outside. */
export type Methods<M extends MethodName> = {
  readonly [N in M]: (params: unknown, call: ControlCall) => Api[N]['result'] | Promise<Api[N]['result']>;
};

/** A way to ask: over the control socket, or in this process. */
export interface Access {
  call<M extends MethodName>(
    method: M,
    params: Api[M]['params'],
    options?: { readonly onItem?: (item: ItemOf<M>) => void; readonly signal?: AbortSignal },
  ): Promise<Api[M]['result']>;
  close(): Promise<void>;
}

export function toBase64(bytes: Uint8Array | null): Base64 | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
export function fromBase64(text: Base64 | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text, 'base64');
}
