/**
 * The live view behind the resource `screen`. On a terminal the sections are one block at the bottom that is repainted
 * in place, at most twenty times a second and in one write each, so that nothing flickers; logged lines scroll by above
 * it. In a pipe there is no cursor to move: a section prints the lines that changed, without colours.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Screen } from '../runtime/resources.ts';
import type { Timers } from '../runtime/runtime.ts';
import { cutText, textWidth } from './text-width.ts';

const FRAME = 50;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** A terminal that knows synchronized updates shows the frame at once; others ignore these. */
const BEGIN_FRAME = '\x1b[?2026h';
const END_FRAME = '\x1b[?2026l';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** The part of `process.stdout` that a screen draws on. */
export interface Canvas {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface LiveScreen extends Screen {
  /** Whether a block is on the terminal now, so that other output must go through `log`. */
  readonly painting: boolean;
  /** Paints what is left to paint and gives the cursor back. Any number of calls; safe while the process exits. */
  close(): void;
}

export function liveScreen(canvas: Canvas, timers: Timers): LiveScreen {
  return canvas.isTTY === true ? terminalScreen(canvas, timers) : plainScreen(canvas);
}

function plainScreen(canvas: Canvas): LiveScreen {
  const shown = new Map<string, readonly string[]>();
  const print = (line: string): void => void canvas.write(`${stripVTControlCharacters(line)}\n`);
  return {
    live: false,
    painting: false,
    set(section, lines) {
      const before = shown.get(section) ?? [];
      shown.set(section, [...lines]);
      lines.forEach((line, at) => {
        if (line !== before[at]) print(line);
      });
    },
    log: print,
    close() {},
  };
}

function terminalScreen(canvas: Canvas, timers: Timers): LiveScreen {
  const sections = new Map<string, readonly string[]>();
  let logged: string[] = [];
  /** The lines of the block as it stands on the terminal. */
  let block: readonly string[] = [];
  let cancel: (() => void) | undefined;
  let painting = false;
  let closed = false;

  const paint = (): void => {
    cancel = undefined;
    // A terminal that does not know its size says 0.
    const columns = Math.max(2, canvas.columns || 80);
    const rows = Math.max(2, canvas.rows || 24);
    const lines = [...sections.values()].flat().map((line) => cutText(line, columns));
    const next = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`];
    // A block painted on a wider terminal has wrapped since: it is as many rows high as its lines are now.
    const height = block.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / columns)), 0);
    const up = height > 0 ? `\x1b[${height}A\r` : '';
    const text = [...logged, ...next].map((line) => `${line}${CLEAR_LINE}\n`).join('');
    canvas.write(`${BEGIN_FRAME}${painting ? '' : HIDE_CURSOR}${up}${text}${CLEAR_BELOW}${END_FRAME}`);
    painting = true;
    logged = [];
    block = next;
  };
  const changed = (): void => {
    if (!closed) cancel ??= timers.after(FRAME, paint);
  };

  return {
    live: true,
    get painting() {
      return painting;
    },
    set(section, lines) {
      if (lines.length === 0) sections.delete(section);
      else sections.set(section, [...lines]);
      changed();
    },
    log(line) {
      if (!painting) {
        canvas.write(`${line}\n`);
        return;
      }
      logged.push(line);
      changed();
    },
    close() {
      if (closed) return;
      closed = true;
      if (cancel) {
        cancel();
        paint();
      }
      if (painting) canvas.write(SHOW_CURSOR);
      painting = false;
    },
  };
}
