/** Files on this machine's disk. */
import { realpathSync, watch } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Files, OpenFile } from './runtime.ts';

export const realFiles: Files = {
  async open(path, mode) {
    if (mode === 'read') return openFile(await open(path, 'r'), []);
    const folder = dirname(resolve(path));
    const made = await mkdir(folder, { recursive: true });
    return openFile(await open(path, 'a+'), [folder, ...foldersAbove(folder, made)]);
  },

  watch(path, changed) {
    // The folder is watched, not the file: so the watch sees the file appear, and be replaced by another of its name.
    const places = new Set([resolve(path), targetOf(path)]);
    const watchers = [...places].map((place) => {
      const watcher = watch(dirname(place), (_event, name) => {
        if (name === null || name === basename(place)) changed();
      });
      // What went wrong shows when the file is read again.
      watcher.on('error', changed);
      return watcher;
    });
    return () => {
      for (const watcher of watchers) watcher.close();
    };
  },
};

/** Where a symbolic link leads now; the path itself when there is no file yet. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return resolve(path);
    throw error;
  }
}

/** The folders that got a new entry when `made`, the topmost new folder, was made on the way to `folder`. */
function foldersAbove(folder: string, made: string | undefined): string[] {
  const above: string[] = [];
  if (made === undefined) return above;
  for (let at = folder; at !== dirname(made); at = dirname(at)) above.push(dirname(at));
  return above;
}

/** `folders` hold entries that `sync` has to keep as well: a synced file without its name is lost. */
function openFile(handle: FileHandle, folders: readonly string[]): OpenFile {
  let unsynced = folders;
  let broken: Error | undefined;
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other, in the order of the calls, so that no append lands inside another. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(() => {
      if (broken) throw broken;
      return work();
    });
    last = done.catch(() => undefined);
    return done;
  };
  return {
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    },
    append: (bytes) => inTurn(() => handle.appendFile(bytes)),
    sync: () =>
      inTurn(async () => {
        try {
          await handle.datasync();
          for (const folder of unsynced) await syncFolder(folder);
          unsynced = [];
        } catch (error) {
          // Law 12: a failed sync may have dropped what it was to keep, so a second one that succeeds proves nothing.
          broken = error as Error;
          throw error;
        }
      }),
    size: async () => (await handle.stat()).size,
    close: async () => {
      await last;
      await handle.close();
    },
  };
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no such call; there the file's own sync covers its name.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
