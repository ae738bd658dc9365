/**
 * What a person reads when a command fails: what arrived and what to do, with their own frames where their code threw.
 * A stack of ours appears for an error of ours only, or with MILLRACE_DEBUG=1.
 */
import { inspect } from 'node:util';
import { messageOf } from '../errors.ts';
import { userFrames } from './user-frames.ts';

/** Documented exit codes. */
export const EXIT = { ok: 0, failed: 1, usage: 2, left: 130 } as const;

export function exitCodeOf(error: unknown): number {
  return codeOf(error) === 'MR_USAGE' ? EXIT.usage : EXIT.failed;
}

export function failureText(error: unknown): string {
  if (process.env.MILLRACE_DEBUG === '1') return inspect(error);
  const code = codeOf(error);
  const cause = error instanceof Error ? error.cause : undefined;
  if (code === undefined) {
    const frames = userFrames(error);
    if (frames.length === 0) return `${inspect(error)}\nThis is an error in Millrace itself: please report it.`;
    return [`${error instanceof Error ? error.name : 'thrown'}: ${messageOf(error)}`, ...frames.map(indented)].join(
      '\n',
    );
  }
  // A module's own error is told whole in the message already.
  const frames = cause !== undefined && code !== 'MR_MODULE' ? userFrames(cause) : [];
  const shown = /^(MR_USAGE|MR_MODULE)$/.test(code) ? '' : ` [${code}]`;
  return [`${messageOf(error)}${shown}`, ...frames.map(indented)].join('\n');
}

function indented(frame: string): string {
  return `    ${frame}`;
}

/** Errors on purpose carry a code: ours, the log's, the system's (ENOENT), those that came over the control socket. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' && !code.startsWith('ERR_') ? code : undefined;
}
