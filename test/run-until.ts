/**
 * Runs a command as a person does: watches what it prints, tries what it offers, presses Ctrl-C when it has shown what
 * it should, reads the exit code.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface Shown {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Wanted {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Interrupt when stdout matches; without it the command is left to end by itself. */
  readonly until?: RegExp;
  /** What to do once stderr matches; the command is not interrupted before that is done, and killed if it fails. */
  readonly meanwhile?: { readonly when: RegExp; readonly run: (match: RegExpExecArray) => Promise<void> };
  /** Milliseconds after which the command is killed and counts as stuck. */
  readonly within: number;
}

/**
 * The command gets a process group of its own, and the interrupt goes to the whole group, as from a terminal: npm and
 * what npm started each get one.
 */
export async function runUntil(command: string, args: readonly string[], wanted: Wanted): Promise<Shown> {
  const { cwd, env = process.env, until, meanwhile, within } = wanted;
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let interrupted = false;
  let begun = false;
  let done = meanwhile === undefined;
  const { promise, resolve, reject } = Promise.withResolvers<Shown>();
  const look = (): void => {
    const match = begun ? null : meanwhile?.when.exec(stderr);
    if (match) {
      begun = true;
      meanwhile!.run(match).then(
        () => {
          done = true;
          look();
        },
        (error) => {
          signalGroup(child, 'SIGKILL');
          reject(error);
        },
      );
    }
    if (interrupted || !done || !until?.test(stdout)) return;
    interrupted = true;
    signalGroup(child, 'SIGINT');
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    look();
  });
  const said = () => `\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
  const deadline = setTimeout(() => {
    signalGroup(child, 'SIGKILL');
    const missing = done ? until : meanwhile!.when;
    const waited = begun && !done ? 'did not do what was tried with it' : `did not print ${missing}`;

    reject(
      new Error(
        `\`${command} ${args.join(' ')}\` ${until && !interrupted ? waited : 'did not end'} within ${within} ms${said()}`,
      ),
    );
  }, within);
  child.on('error', reject);
  child.on('close', (code, signal) => {
    clearTimeout(deadline);
    if (until && !interrupted)
      reject(
        new Error(`\`${command} ${args.join(' ')}\` ended with ${code ?? signal} before it printed ${until}${said()}`),
      );
    else resolve({ stdout, stderr, code, signal });
  });
  return promise;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal);
}
