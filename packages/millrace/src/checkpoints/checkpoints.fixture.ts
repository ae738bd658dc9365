/** What the tests of checkpoints share: a store on a disk of its own, checkpoints of plain keys, and what is read of them. */
import { FaultyStorage } from '@millrace/broker/testing';
import type { Storage } from '../runtime/storage.ts';
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey, KEY_GROUPS, keyGroup } from '../topology/key.ts';
import type { CheckpointFacts, CheckpointInfo, CheckpointStore, SavedCheckpoint } from './checkpoint-store.ts';
import type { CheckpointsOptions } from './directory-checkpoints.ts';
import { openCheckpoints } from './directory-checkpoints.ts';

export const DIRECTORY = '/data/checkpoints/job';

export interface Opened {
  readonly store: CheckpointStore;
  readonly lines: string[];
}

export function open(storage: Storage, options: Partial<CheckpointsOptions> = {}): Opened {
  const lines: string[] = [];
  const store = openCheckpoints({
    storage,
    directory: DIRECTORY,
    topology: 'job',
    soon: setImmediate,
    log: (text) => lines.push(text),
    ...options,
  });
  return { store, lines };
}

/** A store that goes on from the newest checkpoint, as a start does. */
export async function started(storage: Storage, options: Partial<CheckpointsOptions> = {}) {
  const { store, lines } = open(storage, options);
  const incarnation = await store.claim();
  const [newest] = await store.completed();
  const saved = newest && (await store.read(newest.epoch));
  store.resume(newest?.epoch);
  return { store, lines, incarnation, newest, saved };
}

export function disk(): FaultyStorage {
  const storage = new FaultyStorage();
  return storage;
}

export const shapes: Shapes = {
  states: [{ name: 'total', kind: 'value', version: 1, structure: 'number', ttl: undefined }],
  timers: [{ name: 'due', domain: 'event' }],
};

export function facts(at: number, parent: Epoch | undefined, given: Partial<CheckpointFacts> = {}): CheckpointFacts {
  return { topology: 'job', at, parent, sources: {}, watermarks: {}, outputs: {}, finished: false, ...given };
}

export type Values = ReadonlyMap<Key, string | undefined>;

/** By key group, as a snapshot gives them. */
export function keysOf(values: Values): SavedKey[] {
  return [...values]
    .map(([key, value]) => ({
      group: keyGroup(canonicalKey(key)!),
      key,
      data: value === undefined ? undefined : Buffer.from(value),
    }))
    .sort((a, b) => a.group - b.group);
}

export interface Content {
  readonly what?: StateSnapshot['what'];
  readonly state?: Readonly<Record<string, Values>>;
  readonly outputs?: Readonly<Record<string, readonly string[]>>;
  readonly parent?: Epoch | undefined;
  readonly facts?: Partial<CheckpointFacts>;
}

export function write(store: CheckpointStore, number: number, content: Content): Promise<CheckpointInfo> {
  const writer = store.begin(number);
  for (const [component, values] of Object.entries(content.state ?? {}))
    writer.state(component, shapes, content.what ?? 'changes', keysOf(values));
  for (const [sink, entries] of Object.entries(content.outputs ?? {}))
    writer.outputs(
      sink,
      entries.map((entry) => Buffer.from(entry)),
    );
  const outputs = Object.fromEntries(Object.entries(content.outputs ?? {}).map(([sink, { length }]) => [sink, length]));
  return writer.complete(facts(number * 1000, content.parent, { outputs, ...content.facts }));
}

/** What the parts say together, as text. */
export function stateOf(saved: SavedCheckpoint, component: string, from = 0, to = KEY_GROUPS): Map<Key, string> {
  const state = new Map<unknown, readonly [Key, string]>();
  for (const part of saved.state(component)) {
    if (part.what === 'all') state.clear();
    for (const { key, data } of part.keys(from, to)) {
      const id = canonicalKey(key);
      if (data === undefined) state.delete(id);
      else state.set(id, [key, Buffer.from(data).toString()]);
    }
  }
  return new Map(state.values());
}

export function outputsOf(saved: SavedCheckpoint, sink: string): string[] {
  return saved.outputs(sink).map((entry) => Buffer.from(entry).toString());
}
