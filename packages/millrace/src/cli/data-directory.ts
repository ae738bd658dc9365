/**
 * The data directory: one per topology by default, `.millrace/` beside the nearest package.json. It holds the log, the
 * ledger and the way to the control socket, and is owned by one process at a time. Nothing is ever deleted from a
 * directory that does not carry our mark.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogError, lockDirectory } from '@millrace/broker';
import { MillraceError } from '../errors.ts';

const MARK = 'millrace.json';
/** The folder in a data directory that has a folder for each topology's checkpoints. */
export const CHECKPOINTS = 'checkpoints';
/** What the lock itself consists of: it stays while the rest is deleted. */
const LOCK = /^\.(lock|owner)/;
/** A local socket's path must fit in the kernel's 104 to 108 bytes. */
const LONGEST_SOCKET_PATH = 100;

/** `.millrace` beside the package.json nearest to `start` (a folder), or in `start` itself when there is none above. */
export function defaultDataDirectory(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, '.millrace');
    if (dirname(folder) === folder) return join(start, '.millrace');
  }
}

export interface DataDirectory {
  readonly path: string;
  readonly log: string;
  readonly ledger: string;
  /** A folder for each topology. */
  readonly checkpoints: string;
  release(): void;
}

/** Takes the directory for this process, making it if need be; with `fresh`, empties it first. MR_DATA_IN_USE, MR_DATA_FOREIGN. */
export function takeDataDirectory(directory: string, { fresh = false } = {}): DataDirectory {
  const path = resolve(directory);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const names = contents(path);
  if (names.length > 0 && !names.includes(MARK)) throw new MillraceError('MR_DATA_FOREIGN', [path]);
  const lock = locked(path);
  try {
    if (fresh) for (const name of contents(path)) rmSync(join(path, name), { recursive: true, force: true });
    // Whatever stands there was left by a process that is no more: we hold the lock.
    rmSync(join(path, 'control.json'), { force: true });
    writeFileSync(join(path, MARK), `${JSON.stringify({ format: 1 })}\n`);
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    path,
    log: join(path, 'log'),
    ledger: join(path, 'ledger.sqlite'),
    checkpoints: join(path, CHECKPOINTS),
    release() {
      rmSync(join(path, 'control.json'), { force: true });
      lock.release();
    },
  };
}

/** How long to wait for a command that has the files open, or for a topology or a broker that is starting or ending. */
const PATIENCE = 5000;
const LOOK_EVERY = 50;

/**
 * The same, but waits a while for an owner that may soon be done: any but a running topology or broker. `other` is asked
 * before each try, and may find another way. MR_DATA_SERVED where a broker stands there.
 */
export async function awaitDataDirectory<T = never>(
  directory: string,
  options: { readonly fresh?: boolean },
  other: () => Promise<T | undefined> = async () => undefined,
): Promise<DataDirectory | T> {
  for (const start = performance.now(); ; await sleep(LOOK_EVERY)) {
    const found = await other();
    if (found !== undefined) return found;
    try {
      return takeDataDirectory(directory, options);
    } catch (error) {
      if (!(error instanceof MillraceError && error.code === 'MR_DATA_IN_USE')) throw error;
      const owner = controlPlace(directory);
      if (owner?.broker !== undefined)
        throw new MillraceError('MR_DATA_SERVED', [resolve(directory), owner.pid, owner.broker], error);
      if (owner?.topology !== undefined || performance.now() - start >= PATIENCE) throw error;
    }
  }
}

function contents(path: string): string[] {
  return readdirSync(path).filter((name) => !LOCK.test(name));
}

function locked(path: string): { release(): void } {
  try {
    return lockDirectory(path);
  } catch (error) {
    if (error instanceof LogError && error.code === 'DATA_DIRECTORY_LOCKED')
      throw new MillraceError('MR_DATA_IN_USE', [error.message], error);
    throw error;
  }
}

export interface ControlPlace {
  readonly pid: number;
  readonly socket: string;
  /** The topology that runs there; none in a command that has the files open. */
  readonly topology?: string;
  /** Where the broker that stands there can be reached by Kafka's protocol, as `host:port`. */
  readonly broker?: string;
}

/** Where the process that owns the directory can be asked, if it says so. It may be gone since. */
export function controlPlace(directory: string): ControlPlace | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'control.json'), 'utf8')) as ControlPlace;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Says to other processes where this one can be asked. Only the owner of the directory may. */
export function announceControl(
  directory: string,
  socket: string,
  owner: Pick<ControlPlace, 'topology' | 'broker'> = {},
): void {
  const place: ControlPlace = { pid: process.pid, socket, ...owner };
  writeFileSync(join(directory, 'control.json'), `${JSON.stringify(place)}\n`, { mode: 0o600 });
}

/** A path for the control socket: in the directory, or, where that is too long, in a folder of ours for temporary files. */
export function socketPath(directory: string): string {
  const inside = join(directory, 'control.sock');
  if (Buffer.byteLength(inside) <= LONGEST_SOCKET_PATH) return inside;
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `millrace-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) throw new MillraceError('MR_SOCKET_FOLDER', [folder]);
  return join(folder, 'control.sock');
}
