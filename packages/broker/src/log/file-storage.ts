import type { Storage } from './storage.ts';

/** The real disk. */
export function fileStorage(): Storage {
  throw new Error('file storage is not there yet');
}
