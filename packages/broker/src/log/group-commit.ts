import { LogError } from '../errors.ts';
import { isOutOfFiles, type Storage, type StorageFile } from './storage.ts';

/**
 * The one line of everything that waits for the disk. One sync is in flight at a time for the whole log, since more
 * would only fill the thread pool; while it runs, what is appended elsewhere gathers, and the next turn makes all of it
 * durable at once. Those who wait are served in the order in which they asked, so no partition starves.
 *
 * Law 12: a failed sync is never retried, because the system may have dropped the bytes that it failed to write and
 * would then report success. The first failure stops the line for good, and with it the log, until it is opened anew.
 * A process that may open no more files has not failed to sync: nothing was dropped, and it is tried again a little later.
 */
export interface Flushable {
  /** Makes durable what there is now. Throws when the log must stop, or, back in the line, when no file can be opened. */
  flush(): Promise<void>;
  /** The log stopped before its turn came. */
  abandon?(error: LogError): void;
}

export class GroupCommit {
  private readonly storage: Storage;
  private readonly onStop: (error: LogError) => void;
  private readonly pause: () => Promise<void>;
  private readonly line = new Set<Flushable>();
  private running: Promise<void> | undefined;
  /** Why nothing is written any more: a sync failed, or the log was closed. */
  stopped: LogError | undefined;

  constructor(storage: Storage, onStop: (error: LogError) => void, pause: () => Promise<void>) {
    this.storage = storage;
    this.onStop = onStop;
    this.pause = pause;
  }

  /** Whoever is in the line already keeps the place. */
  enqueue(one: Flushable): void {
    if (this.stopped !== undefined) return;
    this.line.add(one);
    this.running ??= this.run();
  }

  /** What it asked for is about to be done: it needs no turn of its own. */
  withdraw(one: Flushable): void {
    this.line.delete(one);
  }

  /** Does `work` alone in the line. Its failure is its caller's, unless it was a sync that failed. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.stopped !== undefined) {
        reject(this.stopped);
        return;
      }
      this.enqueue({ flush: () => work().then(resolve, reject), abandon: reject });
    });
  }

  /** Waits until nobody is in the line, and takes nobody any more. False when it had stopped before. */
  async end(): Promise<boolean> {
    while (this.running !== undefined) await this.running;
    if (this.stopped !== undefined) return false;
    this.stopped = new LogError('LOG_CLOSED', 'the log is closed');
    return true;
  }

  async sync(file: StorageFile, what: string): Promise<void> {
    await this.orStop(file.sync(), what);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.orStop(this.storage.syncDirectory(path), path);
  }

  private async orStop(sync: Promise<void>, what: string): Promise<void> {
    try {
      await sync;
    } catch (error) {
      throw isOutOfFiles(error) ? error : this.stop(what, error);
    }
  }

  private stop(what: string, cause: unknown): LogError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.stopped ??= new LogError(
      'KAFKA_STORAGE_ERROR',
      `syncing ${what} failed (${reason}), so nothing more is written: close the log and open it again`,
      { cause, retriable: false },
    );
    return this.stopped;
  }

  private async run(): Promise<void> {
    // A turn later, so that all who send in this turn share the first sync.
    await undefined;
    for (const one of this.line) {
      this.line.delete(one);
      try {
        await one.flush();
      } catch (error) {
        if (isOutOfFiles(error)) await this.pause();
        else if (this.stopped === undefined) this.stop('the log', error);
      }
      if (this.stopped !== undefined) break;
    }
    this.running = undefined;
    if (this.stopped === undefined) return;
    const left = [...this.line];
    this.line.clear();
    this.onStop(this.stopped);
    for (const one of left) one.abandon?.(this.stopped);
  }
}
