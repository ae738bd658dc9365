/** The folder that checkpoints are in: which files there are, opened once each. */
import type { Storage } from '../runtime/storage.ts';
import { epochText } from '../topology/epoch.ts';
import { CheckpointFile, Damage } from './checkpoint-file.ts';
import type { PartRef } from './manifest.ts';
import type { FileName } from './names.ts';
import { fileName } from './names.ts';
import { StoredPart } from './stored-part.ts';

/** By component, the oldest part first. */
export type State = ReadonlyMap<string, readonly StoredPart[]>;

export class CheckpointFolder {
  readonly storage: Storage;
  readonly path: string;
  readonly claims: string;
  readonly #files = new Map<string, CheckpointFile>();

  constructor(storage: Storage, path: string) {
    this.storage = storage;
    this.path = path;
    this.claims = `${path}/claims`;
  }

  /** Sees that it is there, and will be after a power cut. */
  async make(): Promise<void> {
    await makeFolder(this.storage, this.path);
    await makeFolder(this.storage, this.claims);
  }

  pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Ours, in no order. */
  list(): FileName[] {
    try {
      return this.storage.list(this.path).flatMap((name) => fileName(name) ?? []);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  open(name: string): CheckpointFile {
    const file = this.#files.get(name) ?? CheckpointFile.open(this.storage, this.pathOf(name));
    this.#files.set(name, file);
    return file;
  }

  add(file: CheckpointFile): void {
    this.#files.set(file.name, file);
  }

  remove(name: string): void {
    this.#files.delete(name);
    this.storage.remove(this.pathOf(name));
  }

  /** What is read from now on is checked again. */
  forgetVerified(): void {
    for (const file of this.#files.values()) file.forgetVerified();
  }

  /** The parts that a checkpoint is made of. Damage if a file that it names is not there, or is another. */
  stateOf(file: CheckpointFile): State {
    return stateOf(file, (name) => this.open(name));
  }
}

export function stateOf(file: CheckpointFile, openOther: (name: string) => CheckpointFile): State {
  const { chains, files, epoch } = file.checkpoint;
  const open = (name: string | undefined): CheckpointFile => {
    if (name === undefined) return file;
    const other = openOther(name);
    if (other.sum === files.get(name)) return other;
    throw new Damage(other.path, `it is not the file that checkpoint ${epochText(epoch)} goes on from`);
  };
  const partOf = ({ file, part }: PartRef): StoredPart => {
    const of = open(file);
    return new StoredPart(of, of.manifest.parts[part]!);
  };
  return new Map([...chains].map(([component, refs]) => [component, refs.map(partOf)]));
}

/** Sees that a folder is there, with those above it, and will be after a power cut. */
export async function makeFolder(storage: Storage, path: string): Promise<void> {
  const parent = parentOf(path);
  try {
    storage.list(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await makeFolder(storage, parent);
    storage.makeDirectory(path);
  }
  await storage.syncDirectory(parent);
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? '/' : '.';
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
