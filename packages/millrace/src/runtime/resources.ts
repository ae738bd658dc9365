/**
 * The names under which a run offers parts of its runtime to the tasks of a topology: `task.use(filesResource)`. Spouts
 * and sinks reach the world through these and nothing else (law 11), so that a test can hand them a simulated one.
 */
import type { Clock, Files, Sockets, Timers } from './runtime.ts';
import type { Storage } from './storage.ts';

/** Text for the person or the program at the other end of standard output. */
export interface Output {
  /**
   * Takes the text. False: the reader is slow, wait for `onDrain` before the next. When the reader has gone (a closed
   * pipe, EPIPE) everything written is dropped, and true is returned: there is nobody left to wait for.
   */
  write(text: string): boolean;
  /** Calls back once, when the reader has caught up or has gone. */
  onDrain(drained: () => void): void;
}

/** The shape of `Resource` in topology/task.ts, which this folder does not import. */
interface Named<out T> {
  readonly name: string;
  readonly offers?: T;
}

export const clockResource: Named<Clock> = { name: 'clock' };
export const timersResource: Named<Timers> = { name: 'timers' };
export const filesResource: Named<Files> = { name: 'files' };
export const storageResource: Named<Storage> = { name: 'storage' };
export const socketsResource: Named<Sockets> = { name: 'sockets' };
export const stdoutResource: Named<Output> = { name: 'stdout' };

/**
 * A live view: on a terminal each section is repainted in place, below the lines that scroll by; in a pipe the lines
 * that changed are printed plainly.
 */
export interface Screen {
  /** Whether sections are repainted in place. Where they are not, leave out what changes all the time. */
  readonly live: boolean;
  /** Shows these lines as the section. Sections stand in the order in which they were first set; none removes it. */
  set(section: string, lines: readonly string[]): void;
  /** A line that stays, above the sections. */
  log(line: string): void;
}
export const screenResource: Named<Screen> = { name: 'screen' };
