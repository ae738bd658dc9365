/** What can be read of a folder of checkpoints; and what is said where something cannot be read that was complete. */
import { MillraceError } from '../errors.ts';
import type { Epoch } from '../topology/epoch.ts';
import { compareEpochs, epochText } from '../topology/epoch.ts';
import type { CheckpointFile, Pause } from './checkpoint-file.ts';
import { Damage } from './checkpoint-file.ts';
import type { CheckpointFolder } from './checkpoint-folder.ts';
import type { SavedCheckpoint } from './checkpoint-store.ts';
import { checkpointName } from './names.ts';
import { savedCheckpoint } from './saved-checkpoint.ts';

export class CheckpointReader {
  readonly #folder: CheckpointFolder;
  readonly #pause: Pause;
  readonly #log: (text: string) => void;
  /** Files of what is being read, until it is released. */
  readonly #inUse = new Set<readonly CheckpointFile[]>();

  constructor(folder: CheckpointFolder, pause: Pause, log: (text: string) => void) {
    this.#folder = folder;
    this.#pause = pause;
    this.#log = log;
  }

  filesInUse(): string[] {
    return [...this.#inUse].flatMap((files) => files.map(({ name }) => name));
  }

  /** All that were completed. */
  newestFirst(): Epoch[] {
    return this.#folder
      .list()
      .filter(({ kind, isFinished }) => kind === 'checkpoint' && isFinished)
      .map(({ epoch }) => epoch)
      .sort((a, b) => compareEpochs(b, a));
  }

  /** Those of them that can be read, as far as can be said without reading their keys and outputs. */
  readable(epochs: readonly Epoch[]): CheckpointFile[] {
    return epochs.flatMap((epoch) => this.#ifReadable(epoch) ?? []);
  }

  /** The newest one, and those that are kept beside it. MR_CHECKPOINT_CORRUPT where something may be left to publish. */
  async lineageOf(newest: Epoch | undefined): Promise<CheckpointFile[]> {
    if (newest === undefined) return [];
    const lineage = [await this.#readable(newest)];
    for (const { epoch, unpublished } of lineage[0]!.checkpoint.kept) {
      const file = unpublished ? await this.#readable(epoch) : this.#ifReadable(epoch);
      if (file !== undefined) lineage.push(file);
      else this.#log(`checkpoint ${epochText(epoch)} cannot be read any more; nothing needs it`);
    }
    return lineage;
  }

  async read(epoch: Epoch): Promise<SavedCheckpoint> {
    try {
      return await this.#read(epoch);
    } catch (error) {
      throw error instanceof Damage ? await this.#corrupt(epoch, error) : error;
    }
  }

  async #read(epoch: Epoch): Promise<SavedCheckpoint> {
    const file = this.#folder.open(checkpointName(epoch));
    const state = this.#folder.stateOf(file);
    const files = [file, ...[...state.values()].flat().map((part) => part.file)];
    const release = () => void this.#inUse.delete(files);
    this.#inUse.add(files);
    try {
      for (const parts of state.values()) for (const part of parts) await part.file.verify(part.entry, this.#pause);
      for (const output of file.manifest.outputs) await file.verify(output, this.#pause);
    } catch (error) {
      release();
      throw error;
    }
    const later = 'it was whole when it was read before: start again to be told what an older one would mean';
    return savedCheckpoint(file, state, (damage) => refusal(epoch, damage, later), release);
  }

  #ifReadable(epoch: Epoch): CheckpointFile | undefined {
    try {
      const file = this.#folder.open(checkpointName(epoch));
      this.#folder.stateOf(file);
      return file;
    } catch (error) {
      if (error instanceof Damage) return undefined;
      throw error;
    }
  }

  async #readable(epoch: Epoch): Promise<CheckpointFile> {
    try {
      return this.#folder.open(checkpointName(epoch));
    } catch (error) {
      throw error instanceof Damage ? await this.#corrupt(epoch, error) : error;
    }
  }

  /** The refusal, with what there is to go on from. */
  async #corrupt(epoch: Epoch, damage: Damage): Promise<Error> {
    const completed = this.newestFirst();
    for (const older of completed.filter((one) => compareEpochs(one, epoch) < 0)) {
      try {
        const { info, release } = await this.#read(older);
        release();
        const newer = completed.filter((one) => compareEpochs(one, older) > 0).map(epochText);
        const epochs = new Set([...newer, epochText(epoch)]).size;
        const way = `--from ${epochText(older)} goes on from the newest older one that can be read, of ${new Date(info.facts.at).toISOString()}`;
        const since = epochs === 1 ? 'the epoch' : `the ${epochs} epochs`;
        return refusal(epoch, damage, `${way}, and what was published of ${since} after it comes a second time`);
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
      }
    }
    return refusal(epoch, damage, 'no older one can be read: start from a savepoint with --from, or from nothing');
  }
}

function refusal(epoch: Epoch, { path, message }: Damage, older: string): Error {
  return new MillraceError('MR_CHECKPOINT_CORRUPT', [epochText(epoch), path, message, older]);
}
