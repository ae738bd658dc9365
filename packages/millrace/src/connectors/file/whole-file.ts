/** Folders and whole files on a `Storage`, durable when the promise resolves. */
import { dirname } from 'node:path';
import { MillraceError, messageOf } from '../../errors.ts';
import type { Storage } from '../../runtime/storage.ts';

/** Lines handed to the disk in one piece. */
const PIECE = 4096;

/** Makes a folder, and those above it that are missing. */
export async function makeFolder(storage: Storage, path: string): Promise<void> {
  if (!isThere(storage, path)) {
    await makeFolder(storage, dirname(path));
    storage.makeDirectory(path);
  }
  // Also if it was there: a start that was killed may have made it, and not have come to this.
  await storage.syncDirectory(dirname(path));
}

/** The content of a file, in place of what it had. Its name is not durable yet. */
export async function writeLines(storage: Storage, path: string, lines: readonly string[]): Promise<void> {
  const file = storage.open(path, true);
  try {
    file.truncate(0);
    let position = 0;
    for (let from = 0; from < lines.length; from += PIECE) {
      const bytes = Buffer.from(`${lines.slice(from, from + PIECE).join('\n')}\n`);
      file.write(bytes, position);
      position += bytes.length;
    }
    await file.sync();
  } finally {
    file.close();
  }
}

/** False: there is no such file any more. */
export function renameIfThere(storage: Storage, from: string, to: string): boolean {
  try {
    storage.rename(from, to);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function removeIfThere(storage: Storage, path: string): void {
  try {
    storage.remove(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'ENOENT';
}

function isThere(storage: Storage, path: string): boolean {
  try {
    storage.list(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** What the disk refused, for the person who has to make room. */
export function fileWriteError(component: string, folder: string, thrown: unknown): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  return new MillraceError('MR_FILE_WRITE', [component, folder, messageOf(thrown)], thrown);
}
