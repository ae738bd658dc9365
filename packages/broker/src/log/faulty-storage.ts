import { LogError } from '../errors.ts';
import type { Storage, StorageFile } from './storage.ts';

/**
 * A disk for tests that keeps exactly what `Storage` promises and nothing more. Everything not synced may be lost: each
 * write, whole or in sectors, each change of a length, each directory entry, independently of one another. It can be cut
 * at any operation, be full, be read-only, and fail a sync the way Linux does (the bytes are dropped, and the next sync
 * reports success). Its entry point is `@millrace/broker/testing`.
 */
const SECTOR = 512;

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };

interface FileNode {
  readonly kind: 'file';
  readonly current: Content;
  readonly durable: Content;
  /** Since the last sync, in order. */
  changes: Change[];
}

interface DirectoryNode {
  readonly kind: 'directory';
  readonly current: Map<string, Node>;
  readonly durable: Map<string, Node>;
  /** Since the last sync, in order: what each name stands for from then on, or nothing. A rename changes two at once. */
  changes: ReadonlyMap<string, Node | undefined>[];
}

type Node = FileNode | DirectoryNode;

/** Bytes that grow in place. */
class Content {
  private buffer: Buffer;
  length: number;

  constructor(bytes: Uint8Array = Buffer.alloc(0)) {
    this.buffer = Buffer.from(bytes);
    this.length = bytes.length;
  }

  /** A view, until the next change. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  apply(change: Change): void {
    if ('length' in change) return this.resize(change.length);
    const { at, bytes } = change;
    if (at + bytes.length > this.length) this.resize(at + bytes.length);
    this.buffer.set(bytes, at);
  }

  /** What is new is zeros. */
  resize(length: number): void {
    if (length > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(length, 2 * this.buffer.length));
      this.buffer.copy(larger, 0, 0, this.length);
      this.buffer = larger;
    } else if (length < this.length) this.buffer.fill(0, length, this.length);
    this.length = length;
  }
}

/** Thrown by every operation once the power is off. */
class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

export class FaultyStorage implements Storage {
  private readonly root: DirectoryNode;
  private locks = new Set<string>();
  private off = false;
  /** Operations that change or sync something, so far. */
  operations = 0;
  /** The operation that finds the power off; none when absent. */
  cutAt: number | undefined;
  /** Called once, when the power goes. */
  onCut: () => void = () => {};
  readOnly = false;
  /** Bytes that may still be written before the disk is full. */
  capacity = Number.POSITIVE_INFINITY;
  /** Refuses the writes to paths for which it holds, as a full disk does. */
  failWrite: (path: string) => boolean = () => false;
  /** Refuses to open paths for which it holds, as to a process that has too many files open. */
  failOpen: (path: string) => boolean = () => false;
  /** Refuses to remove paths for which it holds. */
  failRemove: (path: string) => boolean = () => false;
  /** Files that are open. */
  openFiles = 0;
  /** Fails the syncs of paths for which it holds. */
  failSync: (path: string) => boolean = () => false;
  /** How long a sync takes: waited for once before what it is to keep is durable, and once more before it says so. */
  syncTakes: (path: string) => Promise<void> | undefined = () => undefined;

  constructor(root: DirectoryNode = directoryNode()) {
    this.root = root;
  }

  /** The disk as it is found when the power comes back: what was synced, and of the rest what `random` lets through. */
  afterPowerCut(random: () => number): FaultyStorage {
    this.off = true;
    return new FaultyStorage(survivingDirectory(this.root, random, new Map()));
  }

  /** The disk as the next process finds it when this one was killed: all that was written. */
  afterKill(): FaultyStorage {
    this.off = true;
    this.locks.clear();
    return new FaultyStorage(this.root);
  }

  /** The same disk, as another process of the machine has it: with faults of its own. */
  shared(): FaultyStorage {
    const other = new FaultyStorage(this.root);
    other.locks = this.locks;
    return other;
  }

  /** Turns a byte of a file over, on the disk itself. */
  flip(path: string, position: number): void {
    const file = this.fileAt(path);
    for (const { bytes } of [file.current, file.durable]) if (position < bytes.length) bytes[position]! ^= 0xff;
  }

  bytesOf(path: string): Buffer {
    return Buffer.from(this.fileAt(path).current.bytes);
  }

  get isOff(): boolean {
    return this.off;
  }

  open(path: string, create: boolean): StorageFile {
    this.expectPower();
    if (this.failOpen(path)) throw systemError('EMFILE', path);
    let node = this.parentOf(path).current.get(baseName(path));
    if (node === undefined) {
      if (!create) throw systemError('ENOENT', path);
      node = this.newFile(path);
    }
    if (node.kind !== 'file') throw systemError('EISDIR', path);
    return this.handle(path, node);
  }

  createNew(path: string): boolean {
    this.expectPower();
    if (this.parentOf(path).current.has(baseName(path))) return false;
    if (this.failOpen(path)) throw systemError('EMFILE', path);
    this.newFile(path);
    return true;
  }

  list(directory: string): readonly string[] {
    this.expectPower();
    return [...this.directoryAt(directory).current.keys()];
  }

  makeDirectory(path: string): void {
    this.expectPower();
    const parent = this.parentOf(path);
    if (parent.current.has(baseName(path))) return;
    this.change(path);
    setEntries(parent, new Map([[baseName(path), directoryNode()]]));
  }

  rename(from: string, to: string): void {
    const parent = this.parentOf(from);
    if (parent !== this.parentOf(to)) throw new Error('renames between directories are not modelled');
    const node = parent.current.get(baseName(from));
    if (node === undefined) throw systemError('ENOENT', from);
    this.change(from);
    setEntries(
      parent,
      new Map<string, Node | undefined>([
        [baseName(from), undefined],
        [baseName(to), node],
      ]),
    );
  }

  remove(path: string): void {
    const parent = this.parentOf(path);
    const node = parent.current.get(baseName(path));
    if (node === undefined) throw systemError('ENOENT', path);
    if (this.failRemove(path)) throw systemError('EACCES', path);
    if (node.kind === 'directory' && node.current.size > 0) throw systemError('ENOTEMPTY', path);
    this.change(path);
    setEntries(parent, new Map([[baseName(path), undefined]]));
  }

  async syncDirectory(path: string): Promise<void> {
    if (this.failOpen(path)) throw systemError('EMFILE', path);
    const directory = this.directoryAt(path);
    const changes = [...directory.changes];
    this.beginSync();
    await this.syncTakes(path);
    if (this.failSync(path)) throw systemError('EIO', path);
    this.expectPower();
    // Another sync may have been faster.
    for (const change of changes) if (directory.changes.includes(change)) applyEntries(directory.durable, change);
    directory.changes = directory.changes.filter((change) => !changes.includes(change));
    await this.syncTakes(path);
  }

  lock(directory: string): { release(): void } {
    this.expectPower();
    if (this.readOnly) throw systemError('EROFS', directory);
    if (this.locks.has(directory)) {
      throw new LogError('DATA_DIRECTORY_LOCKED', `the data directory ${directory} is in use`);
    }
    this.locks.add(directory);
    return { release: () => void this.locks.delete(directory) };
  }

  private newFile(path: string): FileNode {
    this.change(path);
    const file: FileNode = { kind: 'file', current: new Content(), durable: new Content(), changes: [] };
    setEntries(this.parentOf(path), new Map([[baseName(path), file]]));
    return file;
  }

  private handle(path: string, file: FileNode): StorageFile {
    let isOpen = true;
    this.openFiles++;
    const expectOpen = () => {
      this.expectPower();
      if (!isOpen) throw systemError('EBADF', path);
    };
    return {
      size: () => {
        expectOpen();
        return file.current.length;
      },
      read: (target, position) => {
        expectOpen();
        const found = file.current.bytes.subarray(position, position + target.length);
        target.set(found);
        return found.length;
      },
      write: (bytes, position) => {
        expectOpen();
        this.write(path, file, Buffer.from(bytes), position);
      },
      truncate: (length) => {
        expectOpen();
        this.change(path);
        file.changes.push({ length });
        file.current.apply({ length });
      },
      sync: async () => {
        expectOpen();
        await this.syncFile(path, file);
      },
      close: () => {
        if (isOpen) this.openFiles--;
        isOpen = false;
      },
    };
  }

  private write(path: string, file: FileNode, bytes: Buffer, at: number): void {
    if (this.readOnly) throw systemError('EROFS', path);
    if (this.failWrite(path)) throw systemError('ENOSPC', path);
    const cut = this.cutAt !== undefined && this.operations + 1 >= this.cutAt;
    const grown = Math.max(0, at + bytes.length - file.current.length);
    const fits = grown <= this.capacity ? bytes.length : Math.max(0, bytes.length - (grown - this.capacity));
    // The write that meets the cut may reach the disk as well.
    const change = { at, bytes: bytes.subarray(0, fits) };
    if (fits > 0 || bytes.length === 0) {
      file.changes.push(change);
      file.current.apply(change);
    }
    this.capacity -= Math.max(0, Math.min(grown, this.capacity));
    if (cut) this.cut();
    this.change(path);
    if (fits < bytes.length) throw systemError('ENOSPC', path);
  }

  private async syncFile(path: string, file: FileNode): Promise<void> {
    const changes = [...file.changes];
    this.beginSync();
    await this.syncTakes(path);
    if (this.failSync(path)) {
      // Clean in the cache, and not on the disk: what Linux does.
      file.changes = file.changes.filter((change) => !changes.includes(change));
      throw systemError('EIO', path);
    }
    this.expectPower();
    for (const change of changes) if (file.changes.includes(change)) file.durable.apply(change);
    file.changes = file.changes.filter((change) => !changes.includes(change));
    await this.syncTakes(path);
  }

  private change(path: string): void {
    this.expectPower();
    if (this.readOnly) throw systemError('EROFS', path);
    this.beginSync();
  }

  private beginSync(): void {
    this.expectPower();
    this.operations++;
    if (this.cutAt !== undefined && this.operations >= this.cutAt) this.cut();
    this.expectPower();
  }

  private cut(): void {
    this.off = true;
    this.onCut();
  }

  private expectPower(): void {
    if (this.off) throw new PowerCut('the power is off');
  }

  private parentOf(path: string): DirectoryNode {
    return this.directoryAt(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }

  private directoryAt(path: string): DirectoryNode {
    let at: DirectoryNode = this.root;
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue;
      const next = at.current.get(name);
      if (next === undefined) throw systemError('ENOENT', path);
      if (next.kind !== 'directory') throw systemError('ENOTDIR', path);
      at = next;
    }
    return at;
  }

  private fileAt(path: string): FileNode {
    const node = this.parentOf(path).current.get(baseName(path));
    if (node === undefined || node.kind !== 'file') throw systemError('ENOENT', path);
    return node;
  }
}

/** Random numbers in [0, 1) that a seed repeats. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function directoryNode(): DirectoryNode {
  return { kind: 'directory', current: new Map(), durable: new Map(), changes: [] };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function setEntries(directory: DirectoryNode, change: ReadonlyMap<string, Node | undefined>): void {
  directory.changes.push(change);
  applyEntries(directory.current, change);
}

function applyEntries(entries: Map<string, Node>, change: ReadonlyMap<string, Node | undefined>): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}

function survivingDirectory(directory: DirectoryNode, random: () => number, seen: Map<Node, Node>): DirectoryNode {
  const entries = new Map(directory.durable);
  for (const change of directory.changes) if (random() < 0.5) applyEntries(entries, change);
  const found = directoryNode();
  for (const [name, node] of entries) {
    const survivor = seen.get(node) ?? survivorOf(node, random, seen);
    seen.set(node, survivor);
    found.current.set(name, survivor);
    found.durable.set(name, survivor);
  }
  return found;
}

function survivorOf(node: Node, random: () => number, seen: Map<Node, Node>): Node {
  if (node.kind === 'directory') return survivingDirectory(node, random, seen);
  const content = new Content(node.durable.bytes);
  for (const change of node.changes) {
    const luck = random();
    if (luck < 0.35) continue;
    if (luck < 0.6 || 'length' in change) content.apply(change);
    else tear(content, change, random);
  }
  return { kind: 'file', current: content, durable: new Content(content.bytes), changes: [] };
}

/** Of each sector of a write all, none or a part arrives; the length may arrive without the bytes, which are zeros then. */
function tear(
  content: Content,
  { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
  random: () => number,
): void {
  if (random() < 0.5) content.resize(Math.max(content.length, at + bytes.length));
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, (Math.floor((at + from) / SECTOR) + 1) * SECTOR - at);
    const luck = random();
    const arrived = luck < 0.4 ? from : luck < 0.8 ? to : from + Math.floor(random() * (to - from));
    if (arrived > from) content.apply({ at: at + from, bytes: bytes.subarray(from, arrived) });
    from = to;
  }
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
