import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Storage as BrokersStorage } from '@millrace/broker';
import { fileStorage } from '@millrace/broker';
import { FaultyStorage } from '@millrace/broker/testing';
import type { Storage } from './storage.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

test('the broker declares the same seam to the disk, with a lock besides', () => {
  const same: Same<Storage, { [Call in Exclude<keyof BrokersStorage, 'lock'>]: BrokersStorage[Call] }> = true;
  assert.ok(same);
});

const disks: Record<string, (t: TestContext) => { storage: Storage; directory: string }> = {
  'the real disk': (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-storage-'));
    t.after(() => rmSync(directory, { recursive: true }));
    return { storage: fileStorage(), directory };
  },
  'the disk that loses power': () => {
    const storage = new FaultyStorage();
    storage.makeDirectory('/data');
    return { storage, directory: '/data' };
  },
};

for (const [name, open] of Object.entries(disks)) {
  describe(name, () => {
    test('a file is made new once, and one that is there stays as it is', (t) => {
      const { storage, directory } = open(t);
      assert.equal(storage.createNew(`${directory}/claim`), true);
      const file = storage.open(`${directory}/claim`, false);
      file.write(new Uint8Array([1, 2, 3]), 0);
      assert.equal(storage.createNew(`${directory}/claim`), false);
      assert.equal(file.size(), 3);
      file.close();
      storage.makeDirectory(`${directory}/folder`);
      assert.equal(storage.createNew(`${directory}/folder`), false);
      assert.throws(() => storage.createNew(`${directory}/none/claim`), { code: 'ENOENT' });
    });
  });
}

test('a file that was made new survives a power cut when its directory was synced, and may be gone otherwise', async () => {
  const disk = new FaultyStorage();
  disk.makeDirectory('/data');
  await disk.syncDirectory('/');
  assert.equal(disk.createNew('/data/kept'), true);
  await disk.syncDirectory('/data');
  assert.equal(disk.createNew('/data/lost'), true);
  assert.deepEqual(disk.afterPowerCut(() => 0.9).list('/data'), ['kept']);
});
