/**
 * Publishes each epoch as one file, which appears whole under its name and once, also to a consumer that takes files away.
 *
 * An epoch's file is written and synced under a hidden name, marked (epoch-claims.ts), and renamed. A crash before the mark
 * leaves an epoch that was not published; one after it leaves a hidden file that whoever claims next renames, or none if
 * the rename had happened.
 *
 * Fencing: a hidden name carries its writer. Whoever claims first makes the claim known, and then renames the hidden files
 * of all others away. A zombie makes its file before it looks at the claims: so either it sees the newer one, or its file
 * was there to be taken, and its rename finds none. Of an epoch that it was about to make visible the next claimant holds
 * the one whole file: it publishes that if the epoch is marked, and drops it if not.
 */
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import type { Storage } from '../../runtime/storage.ts';
import { compareEpochs, type Epoch } from '../../topology/epoch.ts';
import type { EpochWriter } from '../../topology/sink.ts';
import { EpochClaims, type Mark } from './epoch-claims.ts';
import { fileWriteError, isMissing, makeFolder, removeIfThere, renameIfThere, writeLines } from './whole-file.ts';

export interface FilesOf {
  readonly component: string;
  readonly folder: string;
  /** What the names of its files begin with; those of other sinks do not. */
  readonly prefix: string;
  readonly extension: string;
}

interface Hidden extends Mark {
  /** `.<name of the epoch>.<by>`, and `.<who holds it>` if that is another. */
  readonly name: string;
}

export class EpochFiles implements EpochWriter<string> {
  readonly #storage: Storage;
  readonly #files: FilesOf;
  readonly #claims: EpochClaims;
  readonly #marks: string;
  #incarnation = 0;
  #last: Epoch | undefined;
  /** The epoch whose hidden file is whole and durable: it is not touched any more, as it may be marked. */
  #whole: Epoch | undefined;
  /** The epoch whose file is visible, durably or not. */
  #visible: Epoch | undefined;

  constructor(storage: Storage, files: FilesOf) {
    this.#storage = storage;
    this.#files = files;
    this.#marks = join(files.folder, `.${files.prefix}`);
    this.#claims = new EpochClaims(storage, this.#marks);
  }

  async claim(incarnation: number): Promise<Epoch | undefined> {
    this.#incarnation = incarnation;
    await this.#telling(async () => {
      const { folder } = this.#files;
      await makeFolder(this.#storage, this.#marks);
      const seen = this.#storage.list(folder).flatMap((name) => this.#visibleEpoch(name) ?? []);
      const newest = seen.sort(compareEpochs).at(-1);
      if (newest !== undefined && newest.incarnation >= incarnation) this.#refuse(newest.incarnation);
      this.#expectNewest();
      if (!(await this.#claims.add(incarnation))) this.#refuse(incarnation);
      const taken = this.#takeHidden();
      await this.#storage.syncDirectory(folder);
      const marked = this.#claims.lastBefore(incarnation);
      if (marked && marked.epoch.incarnation >= incarnation) this.#refuse(marked.epoch.incarnation);
      // The files say more than the marks where somebody removed those.
      const isBehind = newest !== undefined && (!marked || compareEpochs(newest, marked.epoch) > 0);
      const last = isBehind ? { epoch: newest, by: 0 } : marked;
      await this.#claims.note(last);
      for (const hidden of taken) this.#settle(hidden, last);
      await this.#storage.syncDirectory(folder);
      this.#claims.removeBefore(incarnation);
      this.#last = last?.epoch;
    });
    return this.#last;
  }

  async publish(epoch: Epoch, lines: readonly string[]): Promise<void> {
    if (this.#last && compareEpochs(epoch, this.#last) <= 0) return this.#telling(async () => this.#expectNewest());
    await this.#telling(async () => {
      if (!isSame(epoch, this.#visible)) await this.#makeVisible(epoch, lines);
      await this.#storage.syncDirectory(this.#files.folder);
    });
    this.#last = epoch;
  }

  close(): void {
    this.#claims.close();
  }

  async #makeVisible(epoch: Epoch, lines: readonly string[]): Promise<void> {
    const { folder } = this.#files;
    const hidden = join(folder, `.${this.#name(epoch)}.${this.#incarnation}`);
    if (!isSame(epoch, this.#whole)) {
      await writeLines(this.#storage, hidden, lines);
      await this.#storage.syncDirectory(folder);
      this.#whole = epoch;
    }
    this.#expectNewest();
    await this.#claims.note({ epoch, by: this.#incarnation });
    this.#storage.rename(hidden, this.#path(epoch));
    this.#visible = epoch;
  }

  /**
   * Takes the hidden files of older claimants away from them, whole or not. One of these may be taking them itself, and while
   * a name changes a list may show neither the old nor the new: so until nothing is found twice.
   */
  #takeHidden(): readonly Hidden[] {
    const { folder } = this.#files;
    const taken = new Map<string, Hidden>();
    for (let clean = 0; clean < 2; ) {
      const found = this.#storage.list(folder).flatMap((name) => this.#olderHidden(name) ?? []);
      clean = found.length === 0 ? clean + 1 : 0;
      for (const { name, epoch, by } of found) {
        const mine = `.${this.#name(epoch)}.${by}.${this.#incarnation}`;
        if (renameIfThere(this.#storage, join(folder, name), join(folder, mine)))
          taken.set(mine, { name: mine, epoch, by });
      }
    }
    return [...taken.values()];
  }

  #olderHidden(name: string): Hidden | undefined {
    const rest = after(`.${this.#files.prefix}`, name);
    const [, incarnation, number, by, holder = by] = /^-(\d+)-(\d+)\.(\d+)(?:\.(\d+))?$/.exec(rest) ?? [];
    if (Number(holder) >= this.#incarnation || by === undefined) return undefined;
    return { name, epoch: { incarnation: Number(incarnation), number: Number(number) }, by: Number(by) };
  }

  #settle({ name, epoch, by }: Hidden, last: Mark | undefined): void {
    const path = join(this.#files.folder, name);
    const isMarked = isSame(epoch, last?.epoch) && by === last?.by;
    if (isMarked) renameIfThere(this.#storage, path, this.#path(epoch));
    else removeIfThere(this.#storage, path);
  }

  /** Names sort as epochs do. */
  #name({ incarnation, number }: Epoch): string {
    return `${this.#files.prefix}-${String(incarnation).padStart(6, '0')}-${String(number).padStart(10, '0')}`;
  }

  #path(epoch: Epoch): string {
    return join(this.#files.folder, `${this.#name(epoch)}.${this.#files.extension}`);
  }

  #visibleEpoch(name: string): Epoch | undefined {
    const { prefix, extension } = this.#files;
    const [, incarnation, number, end] = /^-(\d+)-(\d+)\.(.+)$/.exec(after(prefix, name)) ?? [];
    return end === extension ? { incarnation: Number(incarnation), number: Number(number) } : undefined;
  }

  #expectNewest(): void {
    const newest = this.#claims.newest();
    if (newest > this.#incarnation) this.#refuse(newest);
  }

  #refuse(newest: number): never {
    const { component, folder } = this.#files;
    throw new MillraceError('MR_SINK_CLAIMED', [component, folder, this.#incarnation, newest]);
  }

  /** What fails because a newer claimant took a file away is told as that. */
  async #telling<R>(steps: () => Promise<R>): Promise<R> {
    const { component, folder } = this.#files;
    try {
      return await steps();
    } catch (thrown) {
      if (isMissing(thrown)) this.#expectNewest();
      throw fileWriteError(component, folder, thrown);
    }
  }
}

function isSame(a: Epoch, b: Epoch | undefined): boolean {
  return b !== undefined && compareEpochs(a, b) === 0;
}

/** What follows the beginning; nothing if `text` does not begin so. */
function after(beginning: string, text: string): string {
  return text.startsWith(beginning) ? text.slice(beginning.length) : '';
}
