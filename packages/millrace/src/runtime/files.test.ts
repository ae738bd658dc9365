/** What files must do, on the disk and in memory. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { realRuntime } from './real.ts';
import type { Files } from './runtime.ts';
import { simulatedRuntime } from './simulated.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-files-'));
after(() => rmSync(folder, { recursive: true }));
const disk = realRuntime().files;

interface World {
  readonly files: Files;
  /** Puts a new file in the place of the one of that name. */
  put(path: string, text: string): void;
  wait<T>(promise: Promise<T>): Promise<T>;
}

const worlds: Record<string, () => World> = {
  real: () => ({
    files: disk,
    put(path, text) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    },
    wait: (promise) => promise,
  }),
  simulated() {
    const { files, until } = simulatedRuntime({ seed: 1 });
    return { files, put: files.put, wait: until };
  },
};

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

for (const [name, world] of Object.entries(worlds)) {
  const path = (file: string) => join(folder, name, file);

  describe(`${name} files`, () => {
    test('what is appended is read, from any offset, up to the end', async () => {
      const { files, wait } = world();
      const out = await wait(files.open(path('new/folders/a'), 'append'));
      await wait(out.append(bytesOf('hello ')));
      await wait(out.append(bytesOf('world')));
      await wait(out.sync());
      assert.equal(await wait(out.size()), 11);
      await wait(out.close());
      const input = await wait(files.open(path('new/folders/a'), 'read'));
      assert.equal(textOf(await wait(input.read(0, 5))), 'hello');
      assert.equal(textOf(await wait(input.read(6, 100))), 'world');
      assert.equal((await wait(input.read(11, 5))).byteLength, 0);
      assert.equal((await wait(input.read(99, 5))).byteLength, 0);
      await wait(input.close());
    });

    test('appends that do not wait for each other keep their order, and go on at the end of an older file', async () => {
      const { files, put, wait } = world();
      await wait(files.open(path('b'), 'append').then((file) => file.close()));
      put(path('b'), 'old');
      const out = await wait(files.open(path('b'), 'append'));
      const chunks = Array.from({ length: 20 }, (_, n) => String.fromCharCode(97 + n).repeat(n % 2 ? 700_000 : 3));
      await wait(Promise.all([...chunks.map((chunk) => out.append(bytesOf(chunk))), out.sync()]));
      assert.ok(textOf(await wait(out.read(0, 20_000_000))) === `old${chunks.join('')}`);
      await wait(out.close());
    });

    test('a file that is missing cannot be read, and one open to read cannot be written', async () => {
      const { files, put, wait } = world();
      await assert.rejects(wait(files.open(path('none'), 'read')), { code: 'ENOENT' });
      await wait(files.open(path('c'), 'append').then((file) => file.close()));
      put(path('c'), 'x');
      const input = await wait(files.open(path('c'), 'read'));
      await assert.rejects(wait(input.append(bytesOf('y'))), { code: 'EBADF' });
      await wait(input.close());
    });

    test('a watch tells of a file that appears, grows, or is replaced, and then of nothing more', async () => {
      const { files, put, wait } = world();
      const first = await wait(files.open(path('other'), 'append'));
      let changed = () => {};
      const stop = files.watch(path('watched'), () => changed());
      const nextChange = () => new Promise<void>((resolve) => (changed = resolve));
      let told = nextChange();
      const out = await wait(files.open(path('watched'), 'append'));
      await wait(told);
      told = nextChange();
      await wait(out.append(bytesOf('x')));
      await wait(told);
      told = nextChange();
      put(path('watched'), 'replaced');
      await wait(told);
      stop();
      changed = () => assert.fail('told after it was stopped');
      await wait(out.append(bytesOf('y')));
      await wait(first.append(bytesOf('y')));
      await wait(first.close());
      await wait(out.close());
    });
  });
}

test('a watch through a symbolic link sees the file behind it grow', async () => {
  mkdirSync(join(folder, 'behind'));
  writeFileSync(join(folder, 'behind', 'target'), '');
  symlinkSync(join(folder, 'behind', 'target'), join(folder, 'link'));
  const changed = Promise.withResolvers<void>();
  const stop = disk.watch(join(folder, 'link'), changed.resolve);
  appendFileSync(join(folder, 'behind', 'target'), 'x');
  await changed.promise;
  stop();
});

test('a watch in a folder that does not exist is refused', () => {
  assert.throws(() => disk.watch(join(folder, 'no', 'where'), () => {}), { code: 'ENOENT' });
});

test('bytes written by another process are read', async () => {
  const out = await disk.open(join(folder, 'shared'), 'append');
  appendFileSync(join(folder, 'shared'), 'theirs ');
  await out.append(bytesOf('ours'));
  assert.equal(readFileSync(join(folder, 'shared'), 'utf8'), 'theirs ours');
  await out.close();
});
