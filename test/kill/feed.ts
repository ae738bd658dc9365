/** Input, each line once, at a steady pace until it is enough. */
import { appendFileSync, writeFileSync } from 'node:fs';
import type { Scenario } from './scenario.ts';

export interface Feed {
  /** No more than this. Resolves with how many lines there are, the closing ones not counted. */
  finish(): Promise<number>;
}

/** Milliseconds from one batch to the next. */
export const PACE = 10;

export function feedFile(scenario: Scenario, path: string, perSecond: number): Feed {
  writeFileSync(path, '');
  let sent = 0;
  const began = performance.now();
  const append = (lines: readonly string[]) => appendFileSync(path, lines.map((line) => `${line}\n`).join(''));
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    append(Array.from({ length: due - sent }, (_, i) => scenario.line(sent + i)));
    sent = due;
  }, PACE);
  return {
    async finish() {
      clearInterval(timer);
      append(scenario.closing(sent));
      return sent;
    },
  };
}
