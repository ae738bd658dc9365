import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { seededRandom } from '../runtime/seeded-random.ts';
import { DIRECTORY } from './checkpoints.fixture.ts';
import { Job, turns } from './job.fixture.ts';

const OPTIONS = { retain: 2 };

/** Two starts, the first of which just stops; merging, retention and publishing go on all the time. */
async function lifeOf(job: Job, storage: FaultyStorage): Promise<void> {
  for (const checkpoints of [9, 8]) {
    await job.start(storage, OPTIONS);
    for (let n = 0; n < checkpoints; n++) {
      await job.checkpoint();
      if (n % 3 > 0) job.publish(n % 3 === 1);
      await turns(n % 2 === 0 ? 8 : 1);
    }
  }
  await job.store.close();
}

async function operationsOf(seed: number): Promise<number> {
  const storage = new FaultyStorage();
  const job = new Job(seededRandom(seed));
  await lifeOf(job, storage);
  assert.deepEqual(job.lines, []);
  const merged = storage.list(DIRECTORY).filter((name) => name.endsWith('.merged'));
  assert.ok(merged.length > 0, 'something was merged');
  return storage.operations;
}

test('after a power cut at any operation the newest checkpoint is there, whole, and it goes on from there', async () => {
  const operations = await operationsOf(1);
  assert.ok(operations > 150);
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    const storage = new FaultyStorage();
    storage.cutAt = cutAt;
    const job = new Job(seededRandom(1));
    await lifeOf(job, storage).catch((error: Error) => assert.equal(error.name, 'PowerCut', error.stack));
    const found = storage.afterPowerCut(seededRandom(cutAt));
    try {
      await job.start(found, OPTIONS);
      await job.checkpoint();
      job.publish(false);
      await job.checkpoint();
      await job.start(found.afterPowerCut(seededRandom(cutAt + 1)), OPTIONS);
    } catch (error) {
      throw new Error(`power cut at operation ${cutAt} of ${operations}`, { cause: error });
    }
  }
});

test('what a start has found after a kill at any operation survives a power cut', async () => {
  const operations = await operationsOf(2);
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    const storage = new FaultyStorage();
    storage.cutAt = cutAt;
    const job = new Job(seededRandom(2));
    await lifeOf(job, storage).catch((error: Error) => assert.equal(error.name, 'PowerCut', error.stack));
    const found = storage.afterKill();
    try {
      await job.start(found, OPTIONS);
      job.publish(false);
      await job.start(
        found.afterPowerCut(() => 0.9),
        OPTIONS,
      );
    } catch (error) {
      throw new Error(`killed at operation ${cutAt} of ${operations}`, { cause: error });
    }
  }
});

/** Faults that pass, each for a while. */
function disturb(storage: FaultyStorage, luck: number): void {
  const isDirectory = (path: string) => !path.includes('.');
  storage.failSync = (path) => (luck < 0.1 ? !isDirectory(path) : luck < 0.2 && isDirectory(path));
  storage.failWrite = () => luck > 0.2 && luck < 0.25;
  storage.failOpen = () => luck > 0.25 && luck < 0.3;
  storage.failRemove = () => luck > 0.3 && luck < 0.4;
  storage.capacity = luck > 0.4 && luck < 0.5 ? luck * 3000 : Number.POSITIVE_INFINITY;
}

test('through refusing disks, kills and power cuts of all kinds, what was complete stays, and nothing else comes', async () => {
  let failed = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = seededRandom(seed);
    const job = new Job(random, 4 + Math.floor(random() * 40));
    let storage = new FaultyStorage();
    await job.start(storage, { retain: 1 + Math.floor(random() * 4) });
    for (let n = 0; n < 30; n++) {
      disturb(storage, random());
      await job.checkpoint().catch((error: Error & { code?: string }) => {
        failed++;
        assert.ok(['EIO', 'ENOSPC', 'EMFILE'].includes(error.code ?? ''), error.stack);
      });
      if (random() < 0.5) job.publish(random() < 0.5);
      await turns(Math.floor(random() * 10));
      disturb(storage, 1);
      const luck = random();
      if (luck > 0.2) continue;
      storage = luck < 0.1 ? storage.afterPowerCut(random) : storage.afterKill();
      try {
        await job.start(storage, { retain: 1 + Math.floor(random() * 4) });
      } catch (error) {
        throw new Error(`seed ${seed}, checkpoint ${n}`, { cause: error });
      }
    }
    await job.store.close();
    assert.equal(storage.openFiles, 0, 'no file is left open');
  }
  assert.ok(failed > 100, `${failed} failed`);
});
