/** The disk as one process has it: each change is a step of the process, and its files go with it. */
import type { Storage, StorageFile } from '@millrace/broker';
import type { FaultyStorage } from '@millrace/broker/testing';
import type { Process } from './process.ts';

export function processStorage(process: Process, disk: FaultyStorage): Storage {
  const open = (path: string, create: boolean): StorageFile => {
    process.step();
    return fileOf(process, disk.open(path, create));
  };
  return {
    open,
    list(directory) {
      process.step();
      return disk.list(directory);
    },
    createNew(path) {
      process.step();
      return disk.createNew(path);
    },
    makeDirectory(path) {
      process.step();
      disk.makeDirectory(path);
    },
    rename(from, to) {
      process.step();
      disk.rename(from, to);
    },
    remove(path) {
      process.step();
      disk.remove(path);
    },
    syncDirectory(path) {
      process.step();
      return process.answer(disk.syncDirectory(path));
    },
    lock(directory) {
      process.step();
      const lock = disk.lock(directory);
      process.onDeath(() => lock.release());
      return lock;
    },
  };
}

function fileOf(process: Process, file: StorageFile): StorageFile {
  return {
    size() {
      process.step();
      return file.size();
    },
    read(target, position) {
      process.step();
      return file.read(target, position);
    },
    write(bytes, position) {
      process.step();
      file.write(bytes, position);
    },
    truncate(length) {
      process.step();
      file.truncate(length);
    },
    sync() {
      process.step();
      return process.answer(file.sync());
    },
    close() {
      process.step();
      file.close();
    },
  };
}
