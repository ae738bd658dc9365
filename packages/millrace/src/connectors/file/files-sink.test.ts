/** What filesSink does in a run without exactly-once, and what it refuses. Its epochs are tested in epoch-files.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { driveEpochs, driveSink } from '../drive.ts';
import { filesSink } from './files-sink.ts';

const FOLDER = 'data/out';

function visible(storage: FaultyStorage): string[] {
  const names = storage.list(FOLDER).filter((name) => !name.startsWith('.'));
  return names.sort().map((name) => String(storage.bytesOf(`${FOLDER}/${name}`)));
}

async function open(storage: FaultyStorage, index = 0, now = () => 5) {
  return driveSink(filesSink<unknown>(FOLDER), { resources: { storage }, index, parallelism: 2, now });
}

test('each batch is a file, of whichever task, in the order of time', async () => {
  const storage = new FaultyStorage();
  let time = 999;
  const now = () => time++;
  const [a, b] = [await open(storage, 0, now), await open(storage, 1, now)];
  await a.write(['a1', { a: 2 }]);
  await b.write(['b1']);
  await a.write(['a3']);
  assert.deepEqual(visible(storage), ['a1\n{"a":2}\n', 'b1\n', 'a3\n']);
});

test('a batch that fails leaves nothing to see, and its beginning does not get into the next', async () => {
  const storage = new FaultyStorage();
  const sink = await open(storage);
  storage.capacity = 30;
  await assert.rejects(sink.write(['x'.repeat(100)]), { code: 'MR_FILE_WRITE', retriable: true, message: /ENOSPC/ });
  assert.deepEqual(visible(storage), []);
  storage.capacity = 1000;
  await sink.write(['short']);
  assert.deepEqual(visible(storage), ['short\n']);
});

test('what is written survives a power cut whole, and what a crash left half-written is removed', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seededRandom(seed);
    const storage = new FaultyStorage();
    const sink = await open(storage);
    await sink.write(['a'.repeat(2000)]);
    storage.cutAt = storage.operations + 1 + Math.floor(random() * 6);
    await assert.rejects(sink.write(['b'.repeat(2000)]));
    const found = storage.afterPowerCut(random);
    const [a, b] = visible(found);
    assert.equal(a, `${'a'.repeat(2000)}\n`);
    if (b !== undefined) assert.equal(b, `${'b'.repeat(2000)}\n`);
    await open(found);
    assert.deepEqual(
      found.list(FOLDER).filter((name) => name.startsWith('.')),
      [],
    );
  }
});

test('what is no line is refused when it comes, not when its epoch is published', async () => {
  const storage = new FaultyStorage();
  await assert.rejects((await open(storage)).write(['fine', 'a\nb']), { code: 'MR_LINE' });
  const epochs = await driveEpochs(filesSink<unknown>(FOLDER), { resources: { storage } });
  await assert.rejects(epochs.publish({ incarnation: 1, number: 1 }, [undefined]), { code: 'MR_LINE' });
});

test('an extension that is none is refused', () => {
  for (const extension of ['', '.txt', 'a/b', 'a b', 'x.'])
    assert.throws(() => filesSink('out', { extension }), { code: 'MR_OPTION' });
  assert.equal(filesSink('out', { extension: 'jsonl.part' }).mode, 'transactional');
});
