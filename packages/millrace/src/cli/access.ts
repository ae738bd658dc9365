/**
 * Ways to a data directory for a command: beside a running topology through its control socket; on the files themselves
 * only when nobody owns them.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../engine/control-client.ts';
import { connectControl } from '../engine/control-client.ts';
import { MillraceError } from '../errors.ts';
import { realRuntime } from '../runtime/real.ts';
import type { Access, Api, MethodName } from './api.ts';
import type { DataDirectory } from './data-directory.ts';
import { controlPlace, takeDataDirectory } from './data-directory.ts';

/** How long a command waits for another that has the files open, or for a topology that is starting. */
const PATIENCE = 5000;
const LOOK_EVERY = 50;

/** The topology that runs on the directory. MR_NOT_RUNNING when there is none. */
export async function accessRunning(directory: string): Promise<Access> {
  const client = await connect(directory);
  if (!client) throw new MillraceError('MR_NOT_RUNNING', [directory]);
  return over(client);
}

/** Whoever owns the directory, or, when nobody does, its files. `make`: it need not be there yet. */
export async function accessData(directory: string, make: boolean): Promise<Access> {
  if (!make && !existsSync(directory)) throw new MillraceError('MR_NO_DATA', [directory]);
  for (const start = performance.now(); ; await sleep(LOOK_EVERY)) {
    const client = await connect(directory);
    if (client) return over(client);
    try {
      return await onFiles(takeDataDirectory(directory));
    } catch (error) {
      const busy = error instanceof MillraceError && error.code === 'MR_DATA_IN_USE';
      if (!busy || performance.now() - start > PATIENCE) throw error;
    }
  }
}

async function connect(directory: string): Promise<ControlClient | undefined> {
  const place = controlPlace(directory);
  if (!place) return undefined;
  try {
    return await connectControl(realRuntime().sockets, { path: place.socket });
  } catch (error) {
    // Left behind by a process that was killed.
    if (['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function over(client: ControlClient): Access {
  return {
    call: (method, params, options) => client.call(method, params, options as object) as never,
    async close() {
      client.close();
    },
  };
}

async function onFiles(data: DataDirectory): Promise<Access> {
  try {
    const { openFiles } = await import('./open-files.ts');
    const files = await openFiles(data, realRuntime());
    const methods: Readonly<Partial<Record<MethodName, (params: unknown, call: never) => unknown>>> = files.methods;
    return {
      async call(method, params, { onItem, signal = new AbortController().signal } = {}) {
        const run = methods[method];
        if (!run) throw new MillraceError('MR_NOT_RUNNING', [data.path]);
        const item = async (value: never) => onItem?.(value);
        return (await run(params, { item, signal } as never)) as Api[typeof method]['result'];
      },
      async close() {
        await files.close();
        data.release();
      },
    };
  } catch (error) {
    data.release();
    throw error;
  }
}
