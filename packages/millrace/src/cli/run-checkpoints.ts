/** The checkpoints of a run: where they are kept, how often they are made, and what this start goes on from. */
import type { CheckpointStore } from '../checkpoints/checkpoint-store.ts';
import type { CheckpointOptions, CheckpointStart } from '../engine/engine-options.ts';
import { MillraceError } from '../errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Storage } from '../runtime/storage.ts';
import type { Receipt } from '../topology/receipt.ts';
import { checkpointNamed, openStore } from './checkpoint-folders.ts';
import type { CheckedSettings } from './checkpoint-settings.ts';
import type { Notices } from './notices.ts';

export interface RunCheckpoints {
  readonly store: CheckpointStore;
  readonly storage: Storage;
  readonly options: CheckpointOptions;
}

export interface StartOptions {
  readonly from?: string;
  readonly rename?: Readonly<Record<string, string>>;
  readonly drop?: readonly string[];
}

interface Around extends StartOptions {
  readonly runtime: Runtime;
  readonly receipt: Receipt;
  readonly settings: CheckedSettings;
  readonly notices: Notices;
}

/** Also where nothing is checkpointed: the engine looks whether it was before. `folder`: `checkpoints` of the data directory. */
export async function checkpointsOfRun(
  folder: string,
  storage: Storage,
  { runtime, receipt, settings, notices, ...start }: Around,
): Promise<RunCheckpoints> {
  const { topology, keeps } = receipt;
  if (start.from !== undefined && keeps !== 'checkpoints') throw new MillraceError('MR_NO_CHECKPOINTS', [topology]);
  const place = { folder, topology, storage, timers: runtime.timers };
  const { retain, ...options } = settings;
  const store = openStore(place, retain, (text) => notices.log('checkpoints', text));
  try {
    const from = start.from === undefined ? undefined : await checkpointNamed(store, place, start.from);
    return { store, storage, options: { ...options, store, start: { ...(from ? { from } : {}), ...choiceOf(start) } } };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export function choiceOf({ rename = {}, drop = [] }: StartOptions): Pick<CheckpointStart, 'renamed' | 'dropped'> {
  return { renamed: new Map(Object.entries(rename)), dropped: new Set(drop) };
}
