import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realRuntime } from '../../runtime/real.ts';
import { simulatedRuntime } from '../../runtime/simulated.ts';
import { driveLog } from '../drive.ts';
import { type FileLinesOptions, fileLines } from './file-lines.ts';

const PATH = 'in.txt';

async function open(content: string | Uint8Array, options: FileLinesOptions = {}, from?: number) {
  const runtime = simulatedRuntime({ seed: 1 });
  runtime.files.put(PATH, content);
  const driven = await driveLog(fileLines(PATH, options), {
    resources: { files: runtime.files },
    now: () => 99,
    ...(from === undefined ? {} : { from: { [PATH]: from } }),
  });
  const add = async (text: string) => {
    const file = await runtime.files.open(PATH, 'append');
    await file.append(Buffer.from(text));
    await runtime.settle();
  };
  return { driven, runtime, add };
}

test('each line is a record: the path its split, the byte where it starts its position', async () => {
  const { driven } = await open('ab\ngrün\r\n\nlast');
  await driven.toEnd();
  assert.deepEqual(driven.emitted, [
    { split: PATH, position: 0, next: 3, value: 'ab', time: 99 },
    { split: PATH, position: 3, next: 10, value: 'grün', time: 99 },
    { split: PATH, position: 10, next: 11, value: '', time: 99 },
    { split: PATH, position: 11, next: 15, value: 'last', time: 99 },
  ]);
});

test('an empty file ends at once', async () => {
  const { driven } = await open('');
  await driven.toEnd();
  assert.deepEqual(driven.emitted, []);
});

test('every position is one to go on from', async () => {
  const content = 'one\r\ntwo\n\nthree';
  const whole = (await open(content)).driven;
  await whole.toEnd();
  for (const [i, { position }] of whole.emitted.entries()) {
    const { driven } = await open(content, {}, position);
    await driven.toEnd();
    assert.deepEqual(driven.emitted, whole.emitted.slice(i));
  }
  const { driven } = await open(content, {}, whole.emitted.at(-1)!.next);
  await driven.toEnd();
  assert.deepEqual(driven.emitted, []);
});

test('a file much larger than what is read at once comes whole and in order', async () => {
  const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 50)}`);
  const { driven } = await open(lines.join('\n'));
  await driven.toEnd();
  assert.deepEqual(driven.values(), lines);
});

test('reads ahead within a bound', async () => {
  const content = 'x\n'.repeat(4 << 20);
  const { driven, runtime } = await open(content);
  let read = 0;
  const files = {
    ...runtime.files,
    async open(path: string, mode: 'read' | 'append') {
      const file = await runtime.files.open(path, mode);
      return {
        ...file,
        read: async (offset: number, length: number) => {
          const bytes = await file.read(offset, length);
          read += bytes.byteLength;
          return bytes;
        },
      };
    },
  };
  const watched = await driveLog(fileLines(PATH), { resources: { files } });
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  assert.ok(read > 0 && read <= 1 << 20, `${read} bytes were read before the first was taken`);
  await watched.reader.close?.();
  await driven.reader.close?.();
});

test('a line above the limit goes to the ledger with its start, and the flow goes on', async () => {
  const { driven } = await open(`a\n${'x'.repeat(11)}\nb\n${'y'.repeat(10)}\r\n`, { maxLineBytes: 10 });
  await driven.toEnd();
  assert.deepEqual(driven.values(), ['a', 'b', 'y'.repeat(10)]);
  const [rejected] = driven.rejected;
  assert.deepEqual([rejected?.cause, rejected?.position, rejected?.next], ['malformed', 2, 14]);
  assert.match(rejected!.detail, /longer than the 10 allowed/);
  assert.deepEqual(rejected?.payload, new Uint8Array(Buffer.from('x'.repeat(10))));
});

test('a line longer than what is read ahead arrives', async () => {
  const long = 'x'.repeat(900_000);
  const { driven } = await open(`${long}\nb`);
  await driven.toEnd();
  assert.deepEqual(driven.values(), [long, 'b']);
});

test('a line that is not UTF-8 goes to the ledger', async () => {
  const { driven } = await open(Uint8Array.of(0x61, 0x0a, 0xff, 0x62, 0x0a, 0x63));
  await driven.toEnd();
  assert.deepEqual(driven.values(), ['a', 'c']);
  assert.deepEqual(driven.rejected[0]?.payload, Uint8Array.of(0xff, 0x62));
});

test('a byte order mark in front of the first line is no part of it', async () => {
  const { driven } = await open('\ufeff{"a":1}\n\ufeffb');
  await driven.toEnd();
  assert.deepEqual(driven.values(), ['{"a":1}', '\ufeffb']);
});

test('followed, the file does not end: what is added comes, a partial line waits for its end', async () => {
  const { driven, add } = await open('a\npart', { follow: true });
  await driven.until(() => driven.emitted.length === 1);
  await add('ial');
  driven.once();
  assert.deepEqual(driven.values(), ['a']);
  await add('\nb\n');
  await driven.until(() => driven.emitted.length === 3);
  assert.deepEqual(driven.values(), ['a', 'partial', 'b']);
  assert.deepEqual(driven.endedSplits, []);
});

test('followed, what is added while the end is being read is not missed', async () => {
  const runtime = simulatedRuntime({ seed: 1 });
  runtime.files.put(PATH, 'a\n');
  const late = ['b\n', 'c\n'];
  let reads = 0;
  const files = {
    ...runtime.files,
    async open(path: string, mode: 'read' | 'append') {
      const file = await runtime.files.open(path, mode);
      return {
        ...file,
        async read(offset: number, length: number) {
          reads++;
          const bytes = await file.read(offset, length);
          const more = bytes.byteLength === 0 ? late.shift() : undefined;
          if (more !== undefined) {
            await (await runtime.files.open(PATH, 'append')).append(Buffer.from(more));
            await runtime.settle();
          }
          return bytes;
        },
      };
    },
  };
  const driven = await driveLog(fileLines(PATH, { follow: true }), { resources: { files } });
  await driven.until(() => driven.emitted.length === 3);
  assert.deepEqual(driven.values(), ['a', 'b', 'c']);
  await runtime.settle();
  const before = reads;
  for (let i = 0; i < 10; i++) {
    assert.equal(driven.once(), false);
    await runtime.settle();
  }
  assert.equal(reads, before, 'a file that does not change is not read');
});

test('followed, a file that was cut or replaced is an error, not silence', async () => {
  const { driven, runtime } = await open('a\nb\n', { follow: true });
  await driven.until(() => driven.emitted.length === 2);
  runtime.files.put(PATH, 'n\n');
  await runtime.settle();
  await assert.rejects(
    driven.until(() => false),
    { code: 'MR_FILE_SHRANK' },
  );
});

test('a position beyond the end of the file is an error', async () => {
  const { driven } = await open('a\n', {}, 50);
  await assert.rejects(driven.toEnd(), { code: 'MR_FILE_SHRANK', message: /has 2 bytes, fewer than the 50/ });
});

test('a file that is not there is named', async () => {
  const { files } = simulatedRuntime({ seed: 1 });
  await assert.rejects(driveLog(fileLines('nowhere.txt'), { resources: { files } }), {
    code: 'MR_FILE_READ',
    message: /nowhere\.txt.*ENOENT/,
  });
});

test('a read that fails is told, and tried again when the engine asks again', async () => {
  const { files } = simulatedRuntime({ seed: 1 });
  files.put(PATH, 'a\nb\n');
  let failures = 1;
  const flaky = {
    ...files,
    async open(path: string, mode: 'read' | 'append') {
      const file = await files.open(path, mode);
      return {
        ...file,
        read: async (offset: number, length: number) => {
          if (failures-- > 0) throw new Error('EIO: i/o error');
          return file.read(offset, length);
        },
      };
    },
  };
  const driven = await driveLog(fileLines(PATH), { resources: { files: flaky } });
  await assert.rejects(driven.toEnd(), { code: 'MR_FILE_READ', message: /EIO/ });
  await driven.toEnd();
  assert.deepEqual(driven.values(), ['a', 'b']);
});

test('paused it gives nothing', async () => {
  const { driven } = await open('a\nb\n');
  driven.reader.pause(PATH);
  assert.equal(driven.once(), false);
  driven.reader.resume(PATH);
  await driven.toEnd();
  assert.equal(driven.values().length, 2);
});

test('reads and follows a file on the real disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lines-'));
  const path = join(folder, 'in.txt');
  try {
    await writeFile(path, 'a\nb\n');
    const { files } = realRuntime();
    const driven = await driveLog(fileLines(path, { follow: true }), { resources: { files } });
    await driven.until(() => driven.emitted.length === 2);
    await writeFile(path, 'c\n', { flag: 'a' });
    await driven.until(() => driven.emitted.length === 3);
    assert.deepEqual(driven.values(), ['a', 'b', 'c']);
    await driven.reader.close?.();
  } finally {
    await rm(folder, { recursive: true });
  }
});
