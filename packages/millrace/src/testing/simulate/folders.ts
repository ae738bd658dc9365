/** What sinks have written into folders. */
import type { Storage } from '@millrace/broker';

/** The lines of all files there whose names begin so, file by file in the order of their names. */
export function linesIn(disk: Storage, folder: string, beginning: string): readonly string[] {
  return namesIn(disk, folder)
    .filter((name) => name.startsWith(beginning))
    .sort()
    .flatMap((name) => textOf(disk, `${folder}/${name}`).split('\n').slice(0, -1));
}

function namesIn(disk: Storage, folder: string): readonly string[] {
  try {
    return disk.list(folder);
  } catch {
    return []; // nothing was ever written
  }
}

function textOf(disk: Storage, path: string): string {
  const file = disk.open(path, false);
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes.toString();
}
