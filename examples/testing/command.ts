/** For the tests of the examples: the command line as a child process, and a data directory that goes with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The command beside whatever `millrace` is here: its sources in the repository, what was built of them in a package. */
const command = fileURLToPath(import.meta.resolve('millrace').replace(/index\.([tj]s)$/, 'cli/main.$1'));
const conditions = process.execArgv.filter((argument) => /^--conditions=/.test(argument));

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
}

/** A new folder, which goes with the test. */
export function temporaryFolder(test: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-example-'));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs a command to its end; rejects with what it said if that is no good one. */
export async function millrace(test: TestContext, ...args: readonly string[]): Promise<Ended> {
  return new Command(test, args).ended;
}

/** Runs a command until its standard output matches, presses Ctrl-C, and waits for its good end. */
export async function millraceUntil(test: TestContext, shown: RegExp, ...args: readonly string[]): Promise<Ended> {
  const running = new Command(test, args);
  await running.shows(shown);
  running.interrupt();
  return running.ended;
}

/** A command that runs, until its test is over or has timed out at the latest. */
export class Command {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #look: () => void = () => {};

  constructor({ signal }: TestContext, args: readonly string[]) {
    const child = spawn(process.execPath, [...conditions, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#look();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#look();
    });
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (code === 0) resolve({ stdout: this.#stdout, stderr: this.#stderr });
        else
          reject(new Error(`millrace ${args.join(' ')} ended with ${code ?? signal}\n${this.#stdout}${this.#stderr}`));
      });
    });
    // Whoever waits for something to be shown is told of a bad end there.
    this.ended.catch(() => {});
  }

  /** What matched, on standard output or standard error, once it does. */
  async shows(shown: RegExp): Promise<RegExpExecArray> {
    const found = Promise.withResolvers<RegExpExecArray>();
    this.#look = () => {
      const match = shown.exec(this.#stdout) ?? shown.exec(this.#stderr);
      if (match) found.resolve(match);
    };
    this.#look();
    const early = this.ended.then(() => Promise.reject(new Error(`ended before it showed ${shown}: ${this.#stdout}`)));
    return Promise.race([found.promise, early]);
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }
}
