import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { driveSink } from '../drive.ts';
import { standardOutput } from './standard-output.ts';
import { stdoutSink } from './stdout-sink.ts';

/** A reader that takes nothing until it is told to. */
function slowReader(highWaterMark = 8) {
  let text = '';
  let take: (() => void) | undefined;
  const stream = new Writable({
    highWaterMark,
    write(chunk, _encoding, done) {
      text += String(chunk);
      take = done;
    },
  });
  return { stream, text: () => text, take: () => take?.() };
}

test('prints a line per value: text as it is, the rest as JSON, or as format says', async () => {
  const { stream, text, take } = slowReader(1000);
  const resources = { stdout: standardOutput(stream) };
  await (await driveSink(stdoutSink<unknown>(), { resources })).write(['a', { b: 1 }]);
  take();
  await (await driveSink(stdoutSink<number>({ format: (n) => `n=${n}` }), { resources })).write([7]);
  assert.equal(text(), 'a\n{"b":1}\nn=7\n');
});

test('waits for a slow reader', async () => {
  const { stream, take } = slowReader();
  const sink = await driveSink(stdoutSink<string>(), { resources: { stdout: standardOutput(stream) } });
  let written = false;
  const writing = sink.write(['longer than the reader wants']).then(() => {
    written = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(written, false);
  take();
  await writing;
});

test('a reader that has gone ends quietly: waiting writes go on, later ones are dropped, the run is told once', async () => {
  let told = 0;
  const { stream } = slowReader();
  const output = standardOutput(stream, () => told++);
  const sink = await driveSink(stdoutSink<string>(), { resources: { stdout: output } });
  const writing = sink.write(['longer than the reader wants']);
  stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await writing;
  await sink.write(['nobody reads this']);
  assert.equal(output.write('nor this'), true);
  assert.equal(told, 1);
});

test('any other failure of the stream fails the write', async () => {
  const { stream } = slowReader();
  const sink = await driveSink(stdoutSink<string>(), { resources: { stdout: standardOutput(stream) } });
  stream.destroy(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
  await new Promise((resolve) => stream.once('close', resolve));
  await assert.rejects(sink.write(['x']), /ENOSPC/);
});

test('a real pipe whose reader leaves early ends the writer with exit code 0 and nothing on standard error', async () => {
  const module = join(import.meta.dirname, 'standard-output.ts');
  const program = `
    import { standardOutput } from ${JSON.stringify(module)};
    let gone = false;
    const output = standardOutput(process.stdout, () => { gone = true; });
    const more = () => {
      while (!gone) if (!output.write('line\\n'.repeat(1000))) return output.onDrain(() => setImmediate(more));
    };
    more();
  `;
  const args = ['--conditions=@millrace/source', '--input-type=module-typescript', '--eval', program];
  const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  writer.stderr.on('data', (chunk) => (complaints += String(chunk)));
  await once(writer.stdout, 'data');
  writer.stdout.destroy();
  const [code] = await once(writer, 'exit');
  assert.deepEqual([code, complaints], [0, '']);
});
