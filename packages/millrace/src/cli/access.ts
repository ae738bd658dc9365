/**
 * Ways to a data directory for a command: through the control socket of whoever owns it; on the files themselves only
 * when nobody does, and then this command answers others in the meantime.
 */
import { existsSync } from 'node:fs';
import type { ControlClient } from '../engine/control-client.ts';
import { connectControl } from '../engine/control-client.ts';
import { serveControl } from '../engine/control-server.ts';
import { MillraceError } from '../errors.ts';
import { realRuntime } from '../runtime/real.ts';
import type { Access, Api, MethodName } from './api.ts';
import type { DataDirectory } from './data-directory.ts';
import { announceControl, awaitDataDirectory, controlPlace, socketPath } from './data-directory.ts';

/** The topology that runs on the directory. MR_NOT_RUNNING when there is none. */
export async function accessRunning(directory: string): Promise<Access> {
  const client = controlPlace(directory)?.topology === undefined ? undefined : await connect(directory);
  if (!client) throw new MillraceError('MR_NOT_RUNNING', [directory]);
  return over(client);
}

/**
 * Whoever owns the directory, or, when nobody does, its files. `make`: it need not be there yet. An owner that leaves
 * answers first what it was asked, so what it has not answered is asked once more elsewhere.
 */
export async function accessData(directory: string, make: boolean): Promise<Access> {
  if (!make && !existsSync(directory)) throw new MillraceError('MR_NO_DATA', [directory]);
  let way = await open(directory);
  return {
    async call(method, params, options) {
      try {
        return await way.call(method, params, options);
      } catch (error) {
        const lost = error instanceof MillraceError && error.code === 'MR_CONTROL_LOST';
        if (!lost || options?.onItem) throw error;
        way = await open(directory);
        return way.call(method, params, options);
      }
    },
    close: () => way.close(),
  };
}

async function open(directory: string): Promise<Access> {
  const found = await awaitDataDirectory(directory, {}, () => connect(directory));
  return 'call' in found ? over(found) : onFiles(found);
}

async function connect(directory: string): Promise<ControlClient | undefined> {
  const place = controlPlace(directory);
  if (!place) return undefined;
  try {
    return await connectControl(realRuntime().sockets, { path: place.socket });
  } catch (error) {
    // Left behind by a process that was killed, or closed at this moment by one that ends.
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined;
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
    const runtime = realRuntime();
    const { openFiles } = await import('./open-files.ts');
    const files = await openFiles(data, runtime);
    const path = socketPath(data.path);
    const server = await serveControl(runtime.sockets, { path }, files.methods);
    announceControl(data.path, path);
    const methods: Readonly<Partial<Record<MethodName, (params: unknown, call: never) => unknown>>> = files.methods;
    return {
      async call(method, params, { onItem, signal = new AbortController().signal } = {}) {
        const run = methods[method];
        if (!run) throw new MillraceError('MR_NOT_RUNNING', [data.path]);
        const item = async (value: never) => onItem?.(value);
        return (await run(params, { item, signal } as never)) as Api[typeof method]['result'];
      },
      async close() {
        await server.close();
        await files.close();
        data.release();
      },
    };
  } catch (error) {
    data.release();
    throw error;
  }
}
