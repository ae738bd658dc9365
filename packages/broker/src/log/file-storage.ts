import * as fs from 'node:fs';
import { lockDirectory } from './directory-lock.ts';
import { isSystemError, type Storage, type StorageFile } from './storage.ts';

/** The real disk. Calls that only reach the page cache are synchronous; the two that wait for the disk are not. */
export function fileStorage(): Storage {
  return {
    open: (path, create) => openFile(fs.openSync(path, create ? fs.constants.O_RDWR | fs.constants.O_CREAT : 'r+')),
    createNew(path) {
      try {
        fs.closeSync(fs.openSync(path, 'wx'));
        return true;
      } catch (error) {
        if (isSystemError(error, 'EEXIST')) return false;
        throw error;
      }
    },
    list: (directory) => fs.readdirSync(directory),
    makeDirectory(path) {
      try {
        fs.mkdirSync(path);
      } catch (error) {
        if (!(isSystemError(error, 'EEXIST') && isDirectory(path))) throw error;
      }
    },
    rename: (from, to) => fs.renameSync(from, to),
    remove(path) {
      if (isDirectory(path)) fs.rmdirSync(path);
      else fs.unlinkSync(path);
    },
    syncDirectory,
    lock: lockDirectory,
  };
}

function isDirectory(path: string): boolean {
  return fs.statSync(path).isDirectory();
}

function openFile(fd: number): StorageFile {
  return {
    size: () => fs.fstatSync(fd).size,
    read(target, position) {
      let filled = 0;
      while (filled < target.length) {
        const got = fs.readSync(fd, target, filled, target.length - filled, position + filled);
        if (got === 0) break;
        filled += got;
      }
      return filled;
    },
    write(bytes, position) {
      let written = 0;
      while (written < bytes.length) {
        written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
      }
    },
    truncate: (length) => fs.ftruncateSync(fd, length),
    sync: () =>
      new Promise((resolve, reject) => {
        fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => fs.closeSync(fd),
  };
}

function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory; there a file's name is written with the file.
  if (process.platform === 'win32') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const fd = fs.openSync(path, 'r');
    fs.fsync(fd, (error) => {
      fs.closeSync(fd);
      if (error) reject(error);
      else resolve();
    });
  });
}
