/** The checkpoints of a data directory: a folder for each topology, and where a start can go on from. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CheckpointStore, SavedCheckpoint } from '../checkpoints/checkpoint-store.ts';
import { openCheckpoints } from '../checkpoints/directory-checkpoints.ts';
import { openSavepoint } from '../checkpoints/savepoint.ts';
import { MillraceError } from '../errors.ts';
import type { Timers } from '../runtime/runtime.ts';
import type { Storage } from '../runtime/storage.ts';
import type { Epoch } from '../topology/epoch.ts';
import { compareEpochs, epochText } from '../topology/epoch.ts';

export interface CheckpointFolder {
  /** `checkpoints` of the data directory. */
  readonly folder: string;
  readonly topology: string;
  readonly storage: Storage;
  readonly timers: Timers;
}

export function openStore(
  { folder, topology, storage, timers }: CheckpointFolder,
  retain: number,
  log: (text: string) => void,
): CheckpointStore {
  return openCheckpoints({ storage, directory: join(folder, topology), topology, retain, soon: soonOf(timers), log });
}

export function soonOf(timers: Timers): (callback: () => void) => void {
  return (callback) => timers.soon(callback);
}

/** Topologies that have left checkpoints in the data directory. */
export function topologiesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** A checkpoint that is kept, by its epoch (`3.17`), or else a savepoint, by its folder. */
export async function checkpointNamed(
  store: CheckpointStore,
  { topology, storage, timers }: CheckpointFolder,
  text: string,
): Promise<SavedCheckpoint> {
  const epoch = epochFrom(text);
  if (epoch === undefined) return openSavepoint({ storage, directory: resolve(text), soon: soonOf(timers) });
  const kept = await store.completed('left out');
  if (!kept.some((info) => compareEpochs(info.epoch, epoch) === 0))
    throw new MillraceError('MR_NO_CHECKPOINT', [topology, text, kept.map((info) => epochText(info.epoch))]);
  return store.read(epoch);
}

function epochFrom(text: string): Epoch | undefined {
  const [, incarnation, number] = /^(\d+)\.(\d+)$/.exec(text) ?? [];
  return number === undefined ? undefined : { incarnation: Number(incarnation), number: Number(number) };
}
