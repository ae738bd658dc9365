/**
 * Recovery: a process with a million keys of state, topic → count per key → topic over the embedded log, exactly-once at
 * 100 ms, is killed with SIGKILL under load and started again. From the start of the process to the first new record that a
 * reader of the output topic has, with what the time goes into.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';
import type { Mark } from './recovery-process.ts';

const KEYS = 1_000_000;
const ROUNDS = 5;
/** Milliseconds for which it works before it is killed. */
const WORKS = 1500;

interface Life {
  readonly child: ChildProcess;
  /** Milliseconds since the start of the process, by what had happened. */
  readonly marks: Map<Mark, number>;
  reached(mark: Mark): Promise<void>;
}

function live(folder: string): Life {
  const program = join(import.meta.dirname, 'recovery-process.ts');
  const started = Date.now();
  const child = spawn(process.execPath, ['--conditions=@millrace/source', program, folder, String(KEYS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const marks = new Map<Mark, number>();
  let look = () => {};
  createInterface(child.stdout!).on('line', (line) => {
    const [mark = '', at = ''] = line.split('\t');
    if (!marks.has(mark as Mark)) marks.set(mark as Mark, Number(at) - started);
    look();
  });
  return {
    child,
    marks,
    reached: (mark) =>
      new Promise((resolve, reject) => {
        look = () => marks.has(mark) && resolve();
        child.once('exit', (code, signal) => reject(new Error(`it ended with ${signal ?? code} before '${mark}'`)));
        look();
      }),
  };
}

async function kill({ child }: Life): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function run(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const first = live(folder);
    await first.reached('all keys are there');
    await pause(WORKS);
    await kill(first);
    const lives: ReadonlyMap<Mark, number>[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const life = live(folder);
      await life.reached('all keys are there');
      await life.reached('first output');
      await pause(WORKS);
      await kill(life);
      lives.push(life.marks);
    }
    const at = (mark: Mark) => median(lives.map((marks) => marks.get(mark)!));
    const row = (what: string, mark: Mark, note?: string): Row => {
      return { what: `${what}, after`, value: at(mark), unit: 'ms', ...(note === undefined ? {} : { note }) };
    };
    return [
      row('the process runs', 'runs'),
      row('its modules are loaded', 'loaded'),
      row('the log is open', 'log open'),
      row('the checkpoint is found and checked', 'read'),
      row('the topology runs', 'started'),
      row('the first new record is out', 'first output', 'budget < 2000 ms'),
      row('all keys are in memory again', 'all keys are there'),
      {
        what: 'the slowest first record',
        value: Math.max(...lives.map((marks) => marks.get('first output')!)),
        unit: 'ms',
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const recoveryBench: Bench = {
  name: 'recovery',
  summary: 'a process with a million keys of state is killed: from its next start to the first new record out',
  run,
};
