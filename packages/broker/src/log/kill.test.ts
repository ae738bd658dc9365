import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Log } from './api.ts';
import { seededRandom } from './faulty-storage.ts';
import { openLog } from './log.ts';

const KILLS = 24;
const fixture = fileURLToPath(new URL('./kill.fixture.ts', import.meta.url));

/** Runs the fixture until it has said `lines` lines, kills it with SIGKILL, and gives everything it said. */
async function runAndKill(directory: string, run: number, lines: number): Promise<string[]> {
  const child: ChildProcess = spawn(
    process.execPath,
    [...process.execArgv.filter(isCondition), fixture, directory, `${run}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let said = '';
  let seen = 0;
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
    seen += chunk.split('\n').length - 1;
    if (seen >= lines) child.kill('SIGKILL');
  });
  const [code, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', `the process ended by itself with ${code}`);
  return said.split('\n').slice(0, -1);
}

function isCondition(argument: string): boolean {
  return argument.startsWith('--conditions');
}

function readAll(log: Log, partition: number): string[] {
  const values: string[] = [];
  for (let offset = 0; offset < log.offsets('t', partition).latest; ) {
    const { records, nextOffset } = log.read('t', partition, offset);
    for (const record of records) {
      assert.equal(record.offset, values.length, 'no holes');
      values.push(Buffer.from(record.value!).toString());
    }
    offset = nextOffset;
  }
  return values;
}

function expectInOrder(values: readonly string[]): void {
  const last = new Map<string, number>();
  for (const value of values) {
    const [run, sender, n] = value.replace(/\.+$/, '').split('-');
    const stream = `${run}-${sender}`;
    assert.ok(Number(n) > (last.get(stream) ?? -1), `${value.slice(0, 20)} is out of order, or there twice`);
    last.set(stream, Number(n));
  }
}

test(`nothing acknowledged is lost by ${KILLS} kills of the process under load`, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  const random = seededRandom(11);
  try {
    const acknowledged: string[] = [];
    for (let run = 0; run < KILLS; run++) {
      // The first line says that the log is open: 1 kills it there, more under load.
      const lines = run % 6 === 1 ? 1 : 1 + Math.floor(random() * 2000);
      acknowledged.push(...(await runAndKill(directory, run, lines)).filter((line) => line !== 'open'));
    }
    assert.ok(acknowledged.length > KILLS * 100);
    const log = await openLog({ directory });
    const found = [0, 1, 2].map((partition) => readAll(log, partition));
    for (const values of found) expectInOrder(values);
    for (const line of acknowledged) {
      const [partition, offset, value] = line.split(' ');
      assert.equal(found[Number(partition)]![Number(offset)], value);
    }
    assert.equal(log.committedOffsets('g', 't').size, 3);
    for (const { error } of log.describeTopic('t').partitions) assert.equal(error, undefined);
    await log.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
