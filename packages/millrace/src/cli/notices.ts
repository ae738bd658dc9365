/**
 * What a run says about itself, on standard error: standard output belongs to the topology. Lines for people, or with
 * `--json` one object per line, `{"at":…,"event":…}`.
 */
import { styleText } from 'node:util';
import type { Clock } from '../runtime/runtime.ts';
import type { LiveScreen } from './screen.ts';
import { visible } from './text-width.ts';

export interface Notices {
  /** An event with its data for scripts, and its lines for people. */
  say(event: string, data: object, ...lines: readonly string[]): void;
  /** A line from a component, or from the engine. */
  log(component: string | undefined, text: string): void;
  /** Said whatever was asked for: why the run failed. */
  fail(code: string | undefined, text: string): void;
}

export interface NoticeOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

export function noticesOn(
  stream: NodeJS.WriteStream,
  screen: Pick<LiveScreen, 'painting' | 'log'>,
  clock: Clock,
  { json, quiet }: NoticeOptions,
): Notices {
  const line = (text: string): void => {
    if (screen.painting && stream.isTTY) screen.log(text);
    else stream.write(`${text}\n`);
  };
  const record = (event: string, data: object): void => {
    line(JSON.stringify({ at: new Date(clock.now()).toISOString(), event, ...data }));
  };
  return {
    say(event, data, ...lines) {
      if (quiet) return;
      if (json) record(event, data);
      else lines.forEach(line);
    },
    log(component, text) {
      if (quiet) return;
      if (json) record('log', { component, text });
      else
        line(component === undefined ? visible(text) : `${styleText('cyan', component, { stream })}: ${visible(text)}`);
    },
    fail(code, text) {
      if (json) record('failed', { code, text });
      else line(`${styleText('red', 'error', { stream })}: ${text}`);
    },
  };
}
