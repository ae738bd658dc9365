import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realRuntime } from '../../runtime/real.ts';
import type { Files } from '../../runtime/runtime.ts';
import { simulatedRuntime } from '../../runtime/simulated.ts';
import { driveSink } from '../drive.ts';
import { type FileSinkOptions, fileSink } from './file-sink.ts';

const PATH = 'out.txt';

function simulated(content?: string) {
  const { files } = simulatedRuntime({ seed: 1 });
  if (content !== undefined) files.put(PATH, content);
  return { files, text: () => new TextDecoder().decode(files.content(PATH)) };
}

const open = <T>(files: Files, options: FileSinkOptions<T> = {}) =>
  driveSink(fileSink<T>(PATH, options), { resources: { files } });

test('appends a line per value: text as it is, the rest as JSON', async () => {
  const { files, text } = simulated('before\n');
  const sink = await open<unknown>(files);
  await sink.write(['a', { b: 1 }]);
  await sink.write([null]);
  assert.equal(text(), 'before\na\n{"b":1}\nnull\n');
});

test('format says how a value is written', async () => {
  const { files, text } = simulated();
  const sink = await open<{ word: string; count: number }>(files, { format: ({ word, count }) => `${word},${count}` });
  await sink.write([{ word: 'mill', count: 2 }]);
  assert.equal(text(), 'mill,2\n');
});

test('what is no single line is refused, and nothing of its batch is written', async () => {
  const { files, text } = simulated();
  const sink = await open<unknown>(files);
  for (const bad of ['a\nb', 'a\rb', undefined]) {
    await assert.rejects(sink.write(['fine', bad]), { code: 'MR_LINE' });
  }
  assert.equal(text(), '');
});

test('a torn last line is ended before the next one, once', async () => {
  const { files, text } = simulated('whole\ntor');
  const sink = await open<string>(files);
  await sink.write(['torn']);
  await sink.write(['next']);
  assert.equal(text(), 'whole\ntor\ntorn\nnext\n');
});

test('each write is synced before it ends, and a failed sync fails it', async () => {
  const { files } = simulated();
  const calls: string[] = [];
  const sink = await open<string>({
    ...files,
    async open(path, mode) {
      const file = await files.open(path, mode);
      return {
        ...file,
        append: async (bytes) => {
          calls.push('append');
          await file.append(bytes);
        },
        sync: async () => {
          calls.push('sync');
          if (calls.length > 2) throw new Error('EIO: i/o error, fdatasync');
        },
      };
    },
  });
  await sink.write(['a']);
  await assert.rejects(sink.write(['b']), /fdatasync/);
  assert.deepEqual(calls, ['append', 'sync', 'append', 'sync']);
});

test('an append that fails half way leaves no line glued to the next', async () => {
  const { files, text } = simulated();
  let appends = 0;
  const sink = await open<string>({
    ...files,
    async open(path, mode) {
      const file = await files.open(path, mode);
      return {
        ...file,
        async append(bytes) {
          if (++appends !== 2) return file.append(bytes);
          await file.append(bytes.subarray(0, 3));
          throw new Error('ENOSPC: no space left on device');
        },
      };
    },
  });
  await sink.write(['first']);
  await assert.rejects(sink.write(['abcdef']), /ENOSPC/);
  await sink.write(['abcdef']);
  assert.equal(text(), 'first\nabc\nabcdef\n');
});

test('one task writes a file', async () => {
  const { files } = simulated();
  await assert.rejects(driveSink(fileSink(PATH), { resources: { files }, parallelism: 2 }), {
    code: 'MR_OPTION',
    message: /parallelism is 2.*writers would mix/,
  });
});

test('makes a file on the real disk with its folders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-sink-'));
  const path = join(folder, 'new', 'out.txt');
  try {
    const sink = await driveSink(fileSink<string>(path), { resources: { files: realRuntime().files } });
    await sink.write(['a', 'b']);
    await sink.close?.();
    assert.equal(await readFile(path, 'utf8'), 'a\nb\n');
  } finally {
    await rm(folder, { recursive: true });
  }
});
