/**
 * Checkpoints in a folder of their own. docs/internals/checkpoints.md says how this keeps what the seam promises.
 *
 *     claims/00000004                  the starts
 *     00000004-00000017.checkpoint     4.17: what changed since the one before, its outputs, and what its state is made of
 *     00000004-00000002.merged         parts of older checkpoints, merged into one
 *     ….part                           being written, or left half-written
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Storage } from '../runtime/storage.ts';
import type { Epoch } from '../topology/epoch.ts';
import { compareEpochs, epochText } from '../topology/epoch.ts';
import type { CheckpointFile, Pause } from './checkpoint-file.ts';
import { CheckpointFileWriter, Damage } from './checkpoint-file.ts';
import { CheckpointFolder, isMissing } from './checkpoint-folder.ts';
import type {
  CheckpointFacts,
  CheckpointInfo,
  CheckpointStore,
  CheckpointWriter,
  SavedCheckpoint,
} from './checkpoint-store.ts';
import { Claims } from './claims.ts';
import { DirectoryWriter } from './directory-writer.ts';
import type { CheckpointManifest, KeptEpoch, Manifest, OutputEntry, PartEntry, PartRef } from './manifest.ts';
import { Merging } from './merging.ts';
import { checkpointName, mergedName } from './names.ts';
import { infoOf, savedCheckpoint } from './saved-checkpoint.ts';
import { Chains, StoredPart } from './stored-part.ts';

export interface CheckpointsOptions {
  readonly storage: Storage;
  /** The folder of this topology's checkpoints alone. It is made, with the folders above it, by the first claim. */
  readonly directory: string;
  readonly topology: string;
  /** How many completed checkpoints are kept. Default 3. */
  readonly retain?: number;
  /** Runs what it is given when others have had their turn. */
  readonly soon: (callback: () => void) => void;
  readonly log: (text: string) => void;
}

/** Nothing is read or written yet. */
export function openCheckpoints(options: CheckpointsOptions): CheckpointStore {
  return new DirectoryCheckpoints(options);
}

class DirectoryCheckpoints implements CheckpointStore {
  readonly #folder: CheckpointFolder;
  readonly #claims: Claims;
  readonly #topology: string;
  readonly #retain: number;
  readonly #pause: Pause;
  readonly #log: (text: string) => void;
  readonly #chains = new Chains();
  readonly #merging: Merging;
  #incarnation: number | undefined;
  #merged = 0;
  /** The lineage that is kept, the newest first. */
  #kept: readonly CheckpointFile[] = [];
  #published: Epoch | undefined;
  #writing: DirectoryWriter | undefined;
  #last = 0;
  /** Files of what is being read, until it is released. */
  readonly #inUse = new Set<readonly CheckpointFile[]>();
  /** Files that could not be removed. */
  readonly #stuck = new Set<string>();

  constructor({ storage, directory, topology, retain = 3, soon, log }: CheckpointsOptions) {
    this.#folder = new CheckpointFolder(storage, directory);
    this.#claims = new Claims(storage, this.#folder.claims);
    this.#topology = topology;
    this.#retain = retain;
    this.#pause = () => new Promise((resolve) => soon(resolve));
    this.#log = log;
    this.#merging = new Merging({
      folder: this.#folder,
      chains: this.#chains,
      name: () => mergedName(this.#own(), ++this.#merged),
      allowed: () => this.#expectNewest(),
      pause: this.#pause,
      log,
    });
  }

  async claim(above = 0): Promise<number> {
    await this.#folder.make();
    const own = await this.#claims.next(Math.max(above, ...this.#folder.list().map(({ epoch }) => epoch.incarnation)));
    this.#incarnation = own;
    // Who was writing them is dead, or finds that it may not complete them.
    for (const { name, epoch, isFinished } of this.#folder.list())
      if (!isFinished && epoch.incarnation < own) this.#remove(name);
    return own;
  }

  async completed(damaged?: 'left out'): Promise<readonly CheckpointInfo[]> {
    const completed = this.#completed();
    // What another process has completed just now may not be durable yet, and from here on things depend on it.
    if (this.#incarnation !== undefined) await this.#folder.storage.syncDirectory(this.#folder.path);
    if (damaged === 'left out') return completed.flatMap((epoch) => this.#ifReadable(epoch) ?? []).map(infoOf);
    const [newest] = completed;
    if (newest === undefined) return [];
    const lineage = [await this.#readable(newest)];
    for (const { epoch, unpublished } of lineage[0]!.checkpoint.kept) {
      const file = unpublished ? await this.#readable(epoch) : this.#ifReadable(epoch);
      if (file !== undefined) lineage.push(file);
      else this.#log(`checkpoint ${epochText(epoch)} cannot be read any more; nothing needs it`);
    }
    return lineage.map(infoOf);
  }

  async read(epoch: Epoch): Promise<SavedCheckpoint> {
    try {
      return await this.#read(epoch);
    } catch (error) {
      throw error instanceof Damage ? await this.#corrupt(epoch, error) : error;
    }
  }

  resume(from: Epoch | undefined): void {
    if (from === undefined) return;
    const state = this.#folder.stateOf(this.#folder.open(checkpointName(from)));
    for (const [component, parts] of state) this.#chains.set(component, parts);
  }

  begin(number: number): CheckpointWriter {
    const epoch = { incarnation: this.#own(), number };
    if (this.#writing) throw new Error('the checkpoint before is neither complete nor abandoned');
    if (number <= this.#last) throw new Error(`checkpoint ${number} was begun after ${this.#last}`);
    this.#last = number;
    this.#folder.forgetVerified();
    const file = new CheckpointFileWriter(this.#folder.storage, this.#folder.pathOf(checkpointName(epoch)));
    const writer = new DirectoryWriter(
      file,
      (facts) => this.#complete(writer, epoch, facts),
      () => this.#end(writer),
    );
    this.#writing = writer;
    return writer;
  }

  published(epoch: Epoch): void {
    if (this.#published === undefined || compareEpochs(epoch, this.#published) > 0) this.#published = epoch;
  }

  async close(): Promise<void> {
    await this.#merging.close();
  }

  #own(): number {
    if (this.#incarnation === undefined) throw new Error('nothing is written before an incarnation is claimed');
    return this.#incarnation;
  }

  #expectNewest(): void {
    const newest = this.#claims.newest();
    if (newest > this.#own()) throw new MillraceError('MR_SUPERSEDED', [this.#topology, this.#own(), newest]);
  }

  /** The newest first. */
  #completed(): Epoch[] {
    return this.#folder
      .list()
      .filter(({ kind, isFinished }) => kind === 'checkpoint' && isFinished)
      .map(({ epoch }) => epoch)
      .sort((a, b) => compareEpochs(b, a));
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

  async #complete(writer: DirectoryWriter, epoch: Epoch, facts: CheckpointFacts): Promise<CheckpointInfo> {
    try {
      const parts = writer.endParts();
      const kept = this.#keptBefore(facts.parent);
      const manifest = this.#manifest(parts, writer.endOutputs(), { epoch, facts, kept: kept.map(this.#keptEpoch) });
      const file = await writer.file.finish(manifest, () => this.#expectNewest());
      this.#folder.add(file);
      this.#kept = [file, ...kept];
      for (const { component, what } of parts) if (what === 'all') this.#chains.set(component, []);
      for (const part of manifest.parts) this.#chains.add(part.component, new StoredPart(file, part));
      this.#chains.keepOnly(new Set(parts.map(({ component }) => component)));
      this.#removeOthers();
      this.#merging.consider();
      return infoOf(file);
    } catch (error) {
      // A newer start has removed the file before it was renamed.
      if (isMissing(error)) this.#expectNewest();
      throw error;
    } finally {
      this.#end(writer);
    }
  }

  #end(writer: DirectoryWriter): void {
    if (this.#writing === writer) this.#writing = undefined;
  }

  #manifest(
    parts: readonly PartEntry[],
    outputs: readonly OutputEntry[],
    checkpoint: Omit<CheckpointManifest, 'chains' | 'files'>,
  ): Manifest {
    const added = parts.filter((part) => this.#adds(part));
    const chains = new Map<string, readonly PartRef[]>();
    const files = new Map<string, number>();
    for (const part of parts) {
      const before = part.what === 'all' ? [] : this.#chains.of(part.component);
      for (const { file } of before) files.set(file.name, file.sum);
      const own = added.includes(part) ? [{ file: undefined, part: added.indexOf(part) }] : [];
      chains.set(part.component, [...before.map(({ ref }) => ref), ...own]);
    }
    return { parts: added, outputs, checkpoint: { ...checkpoint, chains, files } };
  }

  /** Whether it says anything that the parts before it do not. */
  #adds({ component, what, keys, shapes }: PartEntry): boolean {
    const last = this.#chains.of(component).at(-1);
    return what === 'all' || keys > 0 || last === undefined || last.shapesText !== JSON.stringify(shapes);
  }

  /** Of the lineage that the next one goes on from, what stays when it is complete. The newest first. */
  #keptBefore(parent: Epoch | undefined): readonly CheckpointFile[] {
    const lineage = this.#lineage(parent);
    const oldest = lineage.findLastIndex((file) => this.#isUnpublished(file));
    return lineage.slice(0, Math.max(this.#retain - 1, oldest + 1));
  }

  #lineage(newest: Epoch | undefined): readonly CheckpointFile[] {
    if (newest === undefined) return [];
    const [last] = this.#kept;
    if (last !== undefined && compareEpochs(last.checkpoint.epoch, newest) === 0) return this.#kept;
    const file = this.#ifReadable(newest);
    if (file === undefined) return [];
    return [file, ...file.checkpoint.kept.flatMap(({ epoch }) => this.#ifReadable(epoch) ?? [])];
  }

  #isUnpublished({ checkpoint, manifest }: CheckpointFile): boolean {
    const hasOutputs = manifest.outputs.some(({ entries }) => entries > 0);
    return hasOutputs && (this.#published === undefined || compareEpochs(checkpoint.epoch, this.#published) > 0);
  }

  readonly #keptEpoch = (file: CheckpointFile): KeptEpoch => ({
    epoch: file.checkpoint.epoch,
    unpublished: this.#isUnpublished(file),
  });

  /**
   * Removes what neither the kept checkpoints nor the state that is going on need. Only the newest start may: one that has
   * claimed since may stand on a checkpoint that this one does not keep. Who claims after this was asked sees the newest.
   */
  #removeOthers(): void {
    const own = this.#own();
    try {
      if (this.#claims.newest() > own) return;
      const kept = this.#kept.flatMap((file) => [file.name, ...file.checkpoint.files.keys()]);
      const needed = new Set([...kept, ...this.#merging.files]);
      for (const parts of this.#chains.all().values()) for (const { file } of parts) needed.add(file.name);
      for (const files of this.#inUse) for (const { name } of files) needed.add(name);
      for (const { name, epoch, isFinished } of this.#folder.list()) {
        const isAtWork = epoch.incarnation > own || (epoch.incarnation === own && !isFinished);
        if (!isAtWork && !needed.has(name)) this.#remove(name);
      }
    } catch (error) {
      this.#log(`old checkpoints could not be looked for in ${this.#folder.path}: ${messageOf(error)}`);
    }
  }

  #remove(name: string): void {
    try {
      this.#folder.remove(name);
      this.#stuck.delete(name);
    } catch (error) {
      if (isMissing(error) || this.#stuck.has(name)) return;
      this.#stuck.add(name);
      this.#log(`${this.#folder.pathOf(name)} is not needed any more and could not be removed: ${messageOf(error)}`);
    }
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
    const completed = this.#completed();
    for (const older of completed.filter((one) => compareEpochs(one, epoch) < 0)) {
      try {
        const { info, release } = await this.#read(older);
        release();
        const newer = completed.filter((one) => compareEpochs(one, older) > 0).map(epochText);
        const epochs = new Set([...newer, epochText(epoch)]).size;
        const way = `--from ${epochText(older)} goes on from the newest older one that can be read, of ${new Date(info.facts.at).toISOString()}`;
        const price = epochs === 1 ? 'the outputs of one epoch' : `the outputs of ${epochs} epochs`;
        return refusal(epoch, damage, `${way}, and sinks get ${price} a second time`);
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
