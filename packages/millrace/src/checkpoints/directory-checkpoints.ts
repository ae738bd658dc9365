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
import { compareEpochs } from '../topology/epoch.ts';
import type { CheckpointFile, Pause } from './checkpoint-file.ts';
import { CheckpointFileWriter } from './checkpoint-file.ts';
import { CheckpointFolder, isMissing } from './checkpoint-folder.ts';
import { CheckpointReader } from './checkpoint-reader.ts';
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
import { infoOf } from './saved-checkpoint.ts';
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
  readonly #reader: CheckpointReader;
  readonly #topology: string;
  readonly #retain: number;
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
  /** Files that could not be removed. */
  readonly #stuck = new Set<string>();

  constructor({ storage, directory, topology, retain = 3, soon, log }: CheckpointsOptions) {
    this.#folder = new CheckpointFolder(storage, directory);
    this.#claims = new Claims(storage, this.#folder.claims);
    this.#topology = topology;
    this.#retain = retain;
    this.#log = log;
    const pause: Pause = () => new Promise((resolve) => soon(resolve));
    this.#reader = new CheckpointReader(this.#folder, pause, log);
    this.#merging = new Merging({
      folder: this.#folder,
      chains: this.#chains,
      name: () => mergedName(this.#own(), ++this.#merged),
      allowed: () => this.#expectNewest(),
      pause,
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

  newestClaim(): number {
    return this.#claims.newest();
  }

  async completed(damaged?: 'left out'): Promise<readonly CheckpointInfo[]> {
    const found = this.#reader.newestFirst();
    // What another process has completed just now may not be durable yet, and from here on things depend on it.
    if (this.#incarnation !== undefined) await this.#folder.storage.syncDirectory(this.#folder.path);
    const files = damaged === 'left out' ? this.#reader.readable(found) : await this.#reader.lineageOf(found[0]);
    return files.map(infoOf);
  }

  read(epoch: Epoch): Promise<SavedCheckpoint> {
    return this.#reader.read(epoch);
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
    const writer: DirectoryWriter = new DirectoryWriter(
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
  #adds({ component, what, keys }: PartEntry): boolean {
    return what === 'all' || keys > 0 || this.#chains.of(component).length === 0;
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
    const [file] = this.#reader.readable([newest]);
    if (file === undefined) return [];
    return [file, ...this.#reader.readable(file.checkpoint.kept.map(({ epoch }) => epoch))];
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
      const needed = new Set([...kept, ...this.#merging.files, ...this.#reader.filesInUse()]);
      for (const parts of this.#chains.all().values()) for (const { file } of parts) needed.add(file.name);
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
}
