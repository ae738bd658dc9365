/**
 * Merging in the background, some keys at a time. A merge of newer and smaller parts goes before one of larger ones that is
 * under way, so that the chains stay short however long that takes. What a merge writes counts when it is durable; a merge
 * that fails is tried again when there is more to merge.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Pause } from './checkpoint-file.ts';
import { CheckpointFileWriter } from './checkpoint-file.ts';
import type { CheckpointFolder } from './checkpoint-folder.ts';
import { mergedKeys, mergeFrom } from './merge.ts';
import { PartWriter } from './sections.ts';
import type { Chains } from './stored-part.ts';
import { StoredPart } from './stored-part.ts';

/** Keys that are looked at in one turn: some tenths of a millisecond. */
const TURN = 256;
/** So much is written before it is synced: a large sync at the end would hold up those of the checkpoints. */
const SYNC = 4 * 1024 * 1024;

interface Merge {
  readonly component: string;
  readonly run: readonly StoredPart[];
  readonly bytes: number;
  readonly file: CheckpointFileWriter;
  readonly part: PartWriter;
  readonly keys: ReturnType<typeof mergedKeys>;
}

interface MergingOptions {
  readonly folder: CheckpointFolder;
  readonly chains: Chains;
  /** The name of the next merged file. */
  readonly name: () => string;
  /** Throws if this start may not write any more. */
  readonly allowed: () => void;
  readonly pause: Pause;
  readonly log: (text: string) => void;
}

export class Merging {
  readonly #options: MergingOptions;
  /** The last one is worked on; each is smaller than the one before. */
  readonly #merges: Merge[] = [];
  /** How long a chain must be before it is looked at again. */
  readonly #failed = new Map<string, number>();
  #work: Promise<void> | undefined;
  #closed = false;

  constructor(options: MergingOptions) {
    this.#options = options;
  }

  /** Files that are being written, or have just got their names. */
  get files(): readonly string[] {
    return this.#merges.map(({ file }) => file.name);
  }

  /** The chains have changed. */
  consider(): void {
    if (this.#closed) return;
    for (const component of this.#options.chains.all().keys()) this.#considerOne(component);
    if (this.#merges.length > 0) this.#work ??= this.#run().finally(() => (this.#work = undefined));
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
  }

  #considerOne(component: string): void {
    const { chains, folder, name } = this.#options;
    const chain = chains.of(component);
    if (chain.length < (this.#failed.get(component) ?? 0)) return;
    const busy = this.#merges.filter((merge) => merge.component === component).map(({ run }) => run.at(-1)!);
    let first = Math.max(-1, ...busy.map((part) => chain.indexOf(part))) + 1;
    // Data of other shapes is for `restore` to take over.
    for (let i = chain.length - 1; i > first; i--) if (chain[i]!.shapesText !== chain[i - 1]!.shapesText) first = i;
    const free = chain.slice(first);
    const from = mergeFrom(free.map(({ bytes }) => bytes));
    if (from === undefined) return;
    const run = free.slice(from);
    const bytes = run.reduce((sum, part) => sum + part.bytes, 0);
    const top = this.#merges.at(-1);
    if (top !== undefined && bytes >= top.bytes) return;
    const isWhole = run[0] === chain[0];
    const file = new CheckpointFileWriter(folder.storage, folder.pathOf(name()));
    const part = new PartWriter(file, component, run[0]!.shapes, isWhole ? 'all' : 'changes');
    this.#merges.push({ component, run, bytes, file, part, keys: mergedKeys(run, isWhole) });
  }

  async #run(): Promise<void> {
    for (let merge = this.#merges.at(-1); merge !== undefined; merge = this.#merges.at(-1)) {
      await this.#options.pause();
      try {
        await this.#turn(merge);
      } catch (error) {
        this.#end(merge);
        this.#fail(merge, error);
      }
    }
  }

  async #turn(merge: Merge): Promise<void> {
    const { component, run, file, part, keys } = merge;
    const { chains } = this.#options;
    if (this.#closed || !chains.has(component, run)) return this.#end(merge);
    for (let i = 0; i < TURN; i++) {
      const { done, value } = keys.next();
      if (done) return this.#finish(merge);
      if (value !== undefined) part.add(value);
    }
    if (file.unsynced >= SYNC) await file.sync();
  }

  async #finish(merge: Merge): Promise<void> {
    const { component, run, file, part } = merge;
    const { chains, folder, allowed } = this.#options;
    const entry = part.end();
    const merged = await file.finish({ parts: [entry], outputs: [], checkpoint: undefined }, allowed);
    this.#remove(merge);
    folder.add(merged);
    if (chains.has(component, run)) chains.replace(component, run, new StoredPart(merged, entry));
    this.#failed.delete(component);
    this.consider();
  }

  #remove(merge: Merge): void {
    const at = this.#merges.indexOf(merge);
    if (at >= 0) this.#merges.splice(at, 1);
  }

  #end(merge: Merge): void {
    this.#remove(merge);
    merge.keys.return(undefined);
    merge.file.discard();
  }

  #fail({ component, run }: Merge, error: unknown): void {
    const { chains, log } = this.#options;
    if (error instanceof MillraceError && error.code === 'MR_SUPERSEDED') {
      this.#closed = true; // the next checkpoint tells
      return;
    }
    this.#failed.set(component, chains.of(component).length + run.length);
    log(`older state of '${component}' could not be merged, which is tried again later: ${messageOf(error)}`);
  }
}
