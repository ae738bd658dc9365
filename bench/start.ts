/**
 * What a person waits for: the main job's first alert after `npm start`, and an embedded log that is ready. Each in a
 * process of its own, on a data directory of its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';

const ROUNDS = 5;
const ROOT = join(import.meta.dirname, '..');

/** Milliseconds until the command's output matches, and then it is interrupted. */
function untilSeen(command: readonly string[], pattern: RegExp): Promise<{ ms: number; seen: string }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command[0]!, command.slice(1), {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let found: { ms: number; seen: string } | undefined;
    const look = (chunk: Buffer) => {
      output += chunk;
      const match = pattern.exec(output);
      if (match === null || found !== undefined) return;
      found = { ms: performance.now() - started, seen: match[0] };
      process.kill(-child.pid!, 'SIGINT'); // the whole group, as a terminal does
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('close', () => (found ? resolve(found) : reject(new Error(`never saw ${pattern} in:\n${output}`))));
  });
}

/** Opens a log in an empty directory, creates a topic, and says how long that took and what it weighs. */
const OPEN_LOG = `
  const started = performance.now();
  const { openLog } = await import('@millrace/broker');
  const log = await openLog({ directory: process.argv[1] });
  await log.createTopic('t', { partitions: 4 });
  const ready = performance.now() - started;
  globalThis.gc?.();
  console.log('ready ' + ready + ' ' + process.memoryUsage().rss / 2 ** 20);
  await log.close();
`;

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(): Promise<readonly Row[]> {
  // The log is measured as it is installed: built, not from its sources.
  execFileSync('npm', ['run', '--silent', 'build', '--workspace', '@millrace/broker'], { cwd: ROOT, stdio: 'inherit' });
  const firstAlert: number[] = [];
  const ready: number[] = [];
  const inProcess: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await inDirectory(async (data) => {
      const flags = ['--expose-gc', '--input-type=module', '--eval', OPEN_LOG, '--', data];
      const { ms, seen } = await untilSeen([process.execPath, ...flags], /ready [\d.]+ [\d.]+/);
      const [, own, rss] = seen.split(' ').map(Number);
      ready.push(ms);
      inProcess.push(own!);
      memory.push(rss!);
    });
  }
  for (let round = 0; round < ROUNDS; round++) {
    await inDirectory(async (data) => {
      firstAlert.push((await untilSeen(['npm', 'start', '--silent', '--', '--data', data], /alert/i)).ms);
    });
  }
  return [
    { what: 'npm start to the first alert on screen', value: median(firstAlert), unit: 'ms', note: 'budget < 5000 ms' },
    { what: 'embedded log ready, process start included', value: median(ready), unit: 'ms', note: 'budget < 300 ms' },
    { what: 'embedded log ready, in process', value: median(inProcess), unit: 'ms' },
    { what: 'memory of that process', value: median(memory), unit: 'MB', note: 'budget < 100 MB' },
  ];
}

export const startBench: Bench = {
  name: 'start',
  summary: 'npm start to the first alert; the embedded log ready, and its memory',
  run,
};
