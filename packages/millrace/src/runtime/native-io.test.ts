import assert from 'node:assert/strict';
import { exec, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { inWorld } from './impersonation.ts';
import { simulatedRuntime } from './simulated.ts';

const file = import.meta.filename;

function refusing<T>(run: () => T): T {
  const { clock, timers, random } = simulatedRuntime({ seed: 1 });
  const refuse = (what: string): never => {
    throw new RangeError(`refused: ${what}`);
  };
  return inWorld({ clock, timers, random, refuse }, run);
}

const ways: Readonly<Record<string, () => unknown>> = {
  'fs.readFileSync': () => fs.readFileSync(file),
  'fs.openSync': () => fs.openSync(file, 'r'),
  'fs.createReadStream': () => fs.createReadStream(file),
  'fs.promises.open': () => fs.promises.open(file),
  'readFile of node:fs/promises': () => readFile(file),
  'net.connect': () => net.connect(1),
  'new net.Socket': () => new net.Socket(),
  spawn: () => spawn('true'),
  'promisify(exec)': () => promisify(exec)('true'),
  fetch: () => fetch('http://127.0.0.1:1/'),
  'new Worker': () => new Worker('', { eval: true }),
};

test('where the world is refused, nothing of Node reaches it, however it was imported', () => {
  for (const [name, way] of Object.entries(ways)) {
    assert.throws(() => refusing(way), /refused: (node:|fetch)/, name);
  }
});

test('a database in memory is no part of the world, and one in a file is', () => {
  refusing(() => new DatabaseSync(':memory:').exec('SELECT 1'));
  const inFile = new DatabaseSync(':memory:');
  inFile.close();
  assert.throws(() => refusing(() => inFile.open()), /refused: node:sqlite/);
});

test('what is started within is refused later as well, and everybody beside it goes on', async () => {
  const later = refusing(async () => {
    await undefined;
    fs.readFileSync(file);
  });
  await assert.rejects(later, /refused/);
  assert.ok(fs.readFileSync(file).length > 0);
  assert.ok((await readFile(file)).length > 0);
  new net.Socket().destroy();
});

test('modules are loaded and text is printed all the same', async () => {
  const loaded = await refusing(() => import('commander'));
  assert.equal(typeof loaded.Command, 'function');
  refusing(() => fs.writeSync(1, ''));
});
