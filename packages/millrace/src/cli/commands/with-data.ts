/** Opens the way to a data directory for one command, and closes it. */
import { accessData, accessRunning } from '../access.ts';
import type { Access } from '../api.ts';
import { defaultDataDirectory } from '../data-directory.ts';

export interface DataOptions {
  readonly data?: string;
  readonly json?: boolean;
}

/** On the topology that runs, or on the files when nobody owns them. `make`: the directory may be made. */
export async function withData<T>(options: DataOptions, use: (access: Access) => Promise<T>, make = false): Promise<T> {
  return closing(await accessData(directoryOf(options), make), use);
}

/** On the topology that runs. */
export async function withRunning<T>(options: DataOptions, use: (access: Access) => Promise<T>): Promise<T> {
  return closing(await accessRunning(directoryOf(options)), use);
}

function directoryOf({ data }: DataOptions): string {
  return data ?? defaultDataDirectory(process.cwd());
}

async function closing<T>(access: Access, use: (access: Access) => Promise<T>): Promise<T> {
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}
