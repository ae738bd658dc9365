/** A process that is started to be killed: what it says, when it has said it, and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { TELLS } from './jobs/at-work.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'packages', 'millrace', 'src', 'cli', 'main.ts');
const SOURCE = '--conditions=@millrace/source';

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly began = performance.now();
  readonly ended: Promise<End>;
  end: End | undefined;
  output = '';
  readonly #child: ChildProcess;
  readonly #name: string;
  #look: (() => void)[] = [];

  private constructor(name: string, args: readonly string[]) {
    this.#name = name;
    this.#child = spawn(process.execPath, [SOURCE, ...args], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: '1', [TELLS]: '1' },
      stdio: 'pipe',
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const look of [...this.#look]) look();
      });
    this.#child.stdin!.on('error', () => {});
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.end = { code, signal };
        for (const look of [...this.#look]) look();
        resolve(this.end);
      });
    });
  }

  static node(name: string, args: readonly string[]): Child {
    return new Child(name, args);
  }
  static millrace(name: string, args: readonly string[]): Child {
    return new Child(name, [MAIN, ...args]);
  }

  /** Resolves with what matches once it is said, with undefined if the process ends without. */
  async said(pattern: RegExp): Promise<RegExpExecArray | undefined> {
    return new Promise((resolve) => {
      const look = () => {
        const found = pattern.exec(this.output) ?? undefined;
        if (found === undefined && this.end === undefined) return;
        this.#look = this.#look.filter((one) => one !== look);
        resolve(found);
      };
      this.#look.push(look);
      look();
    });
  }

  /** The same, where the process must not end. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const found = await this.said(pattern);
    if (found === undefined) throw new Error(`${this.#name} ended without ${pattern}: ${this.failure}`);
    return found;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<End> {
    this.#child.kill(signal);
    return this.ended;
  }

  get failure(): string {
    const { code, signal } = this.end ?? { code: null, signal: null };
    return `${this.#name} ended with ${signal ?? code}\n${this.output.slice(-4000)}`;
  }
}
