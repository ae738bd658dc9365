/**
 * Checkpoints on the disk by themselves: a million keys of about a hundred bytes written whole and read again, the changes of
 * a thousand keys, and what the background merges of a long run write for each byte of changes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStorage } from '../packages/broker/src/index.ts';
import type { CheckpointStore } from '../packages/millrace/src/checkpoints/checkpoint-store.ts';
import { openCheckpoints } from '../packages/millrace/src/checkpoints/directory-checkpoints.ts';
import type { SavedKey } from '../packages/millrace/src/state/keyed-store.ts';
import type { Shapes } from '../packages/millrace/src/state/shape.ts';
import type { Epoch } from '../packages/millrace/src/topology/epoch.ts';
import { keyGroup } from '../packages/millrace/src/topology/key.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';

const KEYS = 1_000_000;
const CHANGES = 1000;
const ROUNDS = 3;
/** As many as a snapshot gives at once. */
const SLICE = 128;

const shapes: Shapes = {
  states: [{ name: 'total', kind: 'value', version: 1, structure: 'unknown', ttl: undefined }],
  timers: [],
};

/** In the order of a snapshot, so that what is written was made just before, as there. */
function keysFrom(first: number, count: number): SavedKey[] {
  return Array.from({ length: count }, (_, n) => (first + n) % KEYS)
    .map((n) => ({ n, key: `customer-${n}`, group: keyGroup(`customer-${n}`) }))
    .sort((a, b) => a.group - b.group)
    .map(({ n, key, group }) => {
      const value = { total: n * 17.5, seen: 1_700_000_000_000 + n, last: 'paid by card', n };
      return { group, key: `${key}`, data: Buffer.from(JSON.stringify([[value]])) };
    });
}

const factsOf = (parent: Epoch | undefined) => ({
  topology: 'bench',
  at: 0,
  parent,
  sources: { s: { 'p-0': { position: 1, newest: 1, watermark: 1 } } },
  watermarks: { count: 1 },
  outputs: {},
  finished: false,
});

function write(
  store: CheckpointStore,
  number: number,
  what: 'all' | 'changes',
  keys: readonly SavedKey[],
  parent?: Epoch,
) {
  const writer = store.begin(number);
  for (let at = 0; at < keys.length; at += SLICE) writer.state('count', shapes, what, keys.slice(at, at + SLICE));
  return writer.complete(factsOf(parent));
}

async function inFolder<T>(use: (store: () => CheckpointStore) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const storage = fileStorage();
  try {
    return await use(() =>
      openCheckpoints({ storage, directory, topology: 'bench', soon: setImmediate, log: console.error }),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function wholeAndBack(keys: readonly SavedKey[]) {
  return inFolder(async (open) => {
    const store = open();
    await store.claim();
    let started = performance.now();
    const { epoch, bytes } = await write(store, 1, 'all', keys);
    const wrote = performance.now() - started;
    await store.close();
    const next = open();
    await next.claim();
    started = performance.now();
    const [newest] = await next.completed();
    const saved = await next.read(newest!.epoch);
    const checked = performance.now() - started;
    let count = 0;
    let length = 0;
    for (const part of saved.state('count')) {
      for (const { key, data } of part.keys(0, 256)) {
        count += (key as string).length > 0 ? 1 : 0;
        length += data!.length;
      }
    }
    const read = performance.now() - started;
    if (count !== keys.length || length === 0 || epoch.number !== 1) throw new Error(`${count} keys came back`);
    return { wrote, checked, read, bytes };
  });
}

/** Milliseconds of each small checkpoint onto a million keys, while what is older is merged. */
async function changes(keys: readonly SavedKey[], checkpoints: number) {
  return inFolder(async (open) => {
    const store = open();
    await store.claim();
    let { epoch } = await write(store, 1, 'all', keys);
    const took: number[] = [];
    for (let n = 0; n < checkpoints; n++) {
      const changed = keysFrom(n * 7919, CHANGES);
      const started = performance.now();
      ({ epoch } = await write(store, n + 2, 'changes', changed, epoch));
      took.push(performance.now() - started);
      store.published(epoch);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const saved = await store.read(epoch);
    await store.close();
    return { took, parts: saved.state('count').length };
  });
}

async function run(): Promise<readonly Row[]> {
  const keys = keysFrom(0, KEYS);
  const measured: Awaited<ReturnType<typeof wholeAndBack>>[] = [];
  for (let round = 0; round <= ROUNDS; round++) measured.push(await wholeAndBack(keys));
  const of = (name: 'wrote' | 'checked' | 'read') => median(measured.slice(1).map((one) => one[name]));
  const { took, parts } = await changes(keys, 200);
  return [
    { what: 'size of 1 M keys', value: measured[0]!.bytes / 1e6, unit: 'MB' },
    { what: 'written whole and durable', value: of('wrote'), unit: 'ms' },
    { what: 'read: found and checked', value: of('checked'), unit: 'ms' },
    { what: 'read: checked and all keys gone through', value: of('read'), unit: 'ms' },
    { what: `${CHANGES} changed keys onto them, durable`, value: median(took), unit: 'ms' },
    { what: 'the slowest of 200', value: Math.max(...took), unit: 'ms' },
    { what: 'parts that the state consists of then', value: parts, unit: '' },
  ];
}

export const checkpointsBench: Bench = {
  name: 'checkpoints',
  summary: 'a million keys in a checkpoint: written, read, and changed while older changes are merged',
  run,
};
