/** Files in memory, for tests. Everything is done at once; watchers are told through `soon`. */
import type { Files, OpenFile, Timers } from './runtime.ts';

export interface SimulatedFiles extends Files {
  /** Puts a new file in the place of the one of that name, as a log rotation does: who has the old one open keeps it. */
  put(path: string, content: string | Uint8Array): void;
  /** What the file holds, or undefined where there is none. */
  content(path: string): Uint8Array | undefined;
}

interface Content {
  bytes: Uint8Array;
  length: number;
}

export function simulatedFiles(timers: Timers): SimulatedFiles {
  const contents = new Map<string, Content>();
  const watchers = new Map<string, Set<() => void>>();
  const changed = (path: string) => {
    for (const watcher of watchers.get(path) ?? [])
      timers.soon(() => {
        if (watchers.get(path)?.has(watcher)) watcher();
      });
  };
  return {
    async open(path, mode) {
      let content = contents.get(path);
      if (!content) {
        if (mode === 'read') throw failure('ENOENT', `no such file or directory, open '${path}'`);
        content = { bytes: new Uint8Array(64), length: 0 };
        contents.set(path, content);
        changed(path);
      }
      return openFile(content, mode, () => changed(path));
    },
    watch(path, callback) {
      const watcher = () => callback();
      watchers.set(path, (watchers.get(path) ?? new Set()).add(watcher));
      return () => void watchers.get(path)?.delete(watcher);
    },
    put(path, content) {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);
      contents.set(path, { bytes, length: bytes.byteLength });
      changed(path);
    },
    content(path) {
      const found = contents.get(path);
      return found?.bytes.slice(0, found.length);
    },
  };
}

function openFile(content: Content, mode: 'read' | 'append', changed: () => void): OpenFile {
  let open = true;
  const check = () => {
    if (!open) throw failure('EBADF', 'file closed');
  };
  return {
    async read(offset, length) {
      check();
      return content.bytes.slice(offset, Math.max(offset, Math.min(offset + length, content.length)));
    },
    async append(bytes) {
      check();
      if (mode === 'read') throw failure('EBADF', 'bad file descriptor, write');
      const length = content.length + bytes.byteLength;
      if (length > content.bytes.byteLength) {
        const larger = new Uint8Array(2 * length);
        larger.set(content.bytes);
        content.bytes = larger;
      }
      content.bytes.set(bytes, content.length);
      content.length = length;
      changed();
    },
    async sync() {
      check();
    },
    async size() {
      check();
      return content.length;
    },
    async close() {
      open = false;
    },
  };
}

/** As Node words and marks it, so that code under test takes the same path. */
function failure(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}
