/** The command as a person or a script uses it, for tests: real processes, real files, real signals. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { after } from 'node:test';

const PACKAGE = dirname(dirname(import.meta.dirname));
export const NODE = [process.execPath, '--conditions=@millrace/source'] as const;
export const MAIN = join(import.meta.dirname, 'main.ts');
export const home = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it printed, on either stream, once that matches; rejects when it ends without. */
  shown(pattern: RegExp): Promise<RegExpExecArray>;
}

export function start(t: TestContext | undefined, cwd: string, command: readonly string[], input?: string): Started {
  const env = { ...process.env, NO_COLOR: '1' };
  const child = spawn(command[0]!, command.slice(1), { cwd, env, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  let look = (): void => {};
  const { promise: ended, resolve, reject } = Promise.withResolvers<Ended>();
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
    look();
  });
  child.on('error', reject);
  child.on('close', (code) => resolve({ code, stdout, stderr }));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  t?.after(() => child.kill('SIGKILL'));
  return {
    child,
    ended,
    shown: (pattern) =>
      new Promise((found, missing) => {
        look = () => {
          const match = pattern.exec(stdout + stderr);
          if (match) found(match);
        };
        look();
        void ended.then(() => missing(new Error(`it ended without ${pattern}\n${stdout}\n${stderr}`)));
      }),
  };
}

export const millrace = (cwd: string, args: readonly string[], input?: string) =>
  start(undefined, cwd, [...NODE, MAIN, ...args], input).ended;

/** A project folder that finds this package as an installed one. */
export function project(name: string, files: Readonly<Record<string, string>> = {}): string {
  const folder = join(home, name);
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(PACKAGE, join(folder, 'node_modules', 'millrace'));
  if (!existsSync(join(folder, 'package.json'))) files = { 'package.json': '{"type":"module"}', ...files };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}
