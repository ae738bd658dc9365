import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStorage } from '@millrace/broker';
import { FaultyStorage } from '@millrace/broker/testing';
import { epochWriterSuite } from '../epoch-writer-suite.fixture.ts';
import { filesSink } from './files-sink.ts';

const FOLDER = '/data/out';

/** What a reader of the folder finds in the files there, in the order of their names. */
function linesIn(names: readonly string[], read: (name: string) => string): string[] {
  const files = names.filter((name) => !name.startsWith('.')).sort();
  return files.flatMap((name) => read(name).split('\n').slice(0, -1));
}

epochWriterSuite('filesSink on the real disk', () => {
  const above = mkdtempSync(join(tmpdir(), 'millrace-files-'));
  const folder = join(above, 'a', 'b');
  const storage = fileStorage();
  let broken = false;
  const breaking = {
    ...storage,
    rename(from: string, to: string) {
      if (broken) throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      storage.rename(from, to);
    },
  };
  return {
    sink: filesSink<string>(folder),
    options: { resources: { storage: breaking } },
    visible: () => linesIn(readdirSync(folder), (name) => readFileSync(join(folder, name), 'utf8')),
    break: () => {
      broken = true;
      return () => {
        broken = false;
      };
    },
    close: () => rmSync(above, { recursive: true }),
  };
});

epochWriterSuite('filesSink on a disk that fills up', () => {
  const storage = new FaultyStorage();
  return {
    sink: filesSink<string>(FOLDER),
    options: { resources: { storage } },
    visible: () => linesIn(storage.list(FOLDER), (name) => String(storage.bytesOf(`${FOLDER}/${name}`))),
    break: () => {
      storage.failWrite = (path) => path.includes('-0000000002.');
      return () => {
        storage.failWrite = () => false;
      };
    },
  };
});
