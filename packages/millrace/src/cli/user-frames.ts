/** The part of a stack trace that is the user's: no frames of Node, none of ours, paths as seen from where they stand. */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Our own files, those of the broker, and the one dependency that calls ours. */
const OURS = [
  `${dirname(import.meta.dirname)}/`,
  `${dirname(fileURLToPath(import.meta.resolve('@millrace/broker')))}/`,
  '/node_modules/commander/',
];
const MOST = 8;
const FRAME = /^\s*at (?:(.+) \()?((?:file:\/\/)?\/.+?):(\d+):(\d+)\)?$/;

/** `at f (src/detector.ts:12:7)` and the like, the innermost first. */
export function userFrames(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frames: string[] = [];
  for (const line of stack.split('\n')) {
    const [, name, url, row, column] = FRAME.exec(line) ?? [];
    if (url === undefined) continue;
    const file = pathOf(url);
    if (OURS.some((folder) => file.includes(folder))) continue;
    const place = `${shortPath(file)}:${row}:${column}`;
    frames.push(name === undefined ? `at ${place}` : `at ${name} (${place})`);
  }
  return frames.slice(0, MOST);
}

export function pathOf(urlOrPath: string): string {
  return urlOrPath.startsWith('file:') ? fileURLToPath(urlOrPath) : (urlOrPath.split('?')[0] ?? urlOrPath);
}

/** A path as the person would type it: from the working directory, unless that only makes it longer. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('../../') || short === '' ? path : short;
}
