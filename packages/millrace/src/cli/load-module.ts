/**
 * Loads a topology module as it stands, TypeScript included. What goes wrong on the way is told as the user's own code:
 * the file, the line and the place in it; never as a stack of ours.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MillraceError, messageOf } from '../errors.ts';
import type { Topology } from '../topology/topology.ts';
import { pathOf, shortPath, userFrames } from './user-frames.ts';

/** The topology that the module exports by default. */
export async function loadTopology(path: string): Promise<Topology> {
  const file = resolve(path);
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    const what = found ? `${path} is not a file` : `there is no file ${path}`;
    throw new MillraceError('MR_MODULE', [`${what}: name a topology module, such as src/topology.ts`]);
  }
  return importTopology(pathToFileURL(file).href, shortPath(file));
}

/** The same for a module that is named by its URL, with a query where a fresh copy is wanted. */
export async function importTopology(url: string, name: string): Promise<Topology> {
  let module: { readonly default?: unknown };
  try {
    module = await import(url);
  } catch (thrown) {
    throw new MillraceError('MR_MODULE', [explain(thrown, url, name)], thrown);
  }
  const found = module.default;
  if (found === undefined) throw new MillraceError('MR_NO_TOPOLOGY', [name, noDefault(module)]);
  if (!isTopology(found))
    throw new MillraceError('MR_NO_TOPOLOGY', [name, `exports ${kindOf(found)} by default, and that is no topology`]);
  return found;
}

/** By its shape: the module may have taken `topology` from another copy of this package. */
function isTopology(value: unknown): value is Topology {
  if (typeof value !== 'object' || value === null) return false;
  const { name, build } = value as Partial<Topology>;
  return typeof name === 'string' && typeof build === 'function';
}

function noDefault(module: object): string {
  const others = Object.entries(module)
    .filter(([, value]) => isTopology(value))
    .map(([name]) => name);
  return others.length > 0
    ? `has no default export (its export '${others[0]}' is a topology)`
    : 'has no default export';
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function explain(thrown: unknown, url: string, name: string): string {
  const { code } = (thrown ?? {}) as { readonly code?: string };
  if (thrown instanceof SyntaxError) {
    const marked = markedLine(thrown.stack ?? '') ?? (userFrames(thrown).length === 0 ? askAgain(url) : undefined);
    if (marked) {
      const hint = code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' ? `\n${STRIPPING}` : '';
      return `${marked.place}: ${thrown.message}\n${marked.lines}${hint}`;
    }
  }
  if (code === 'ERR_MODULE_NOT_FOUND') return `${name} cannot be loaded: ${messageOf(thrown)}`;
  const frames = userFrames(thrown).map((frame) => `\n    ${frame}`);
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return `${name} threw while it was loaded: ${what}${frames.join('')}`;
}

const STRIPPING =
  'Node runs TypeScript by leaving its types out, so syntax that would need code made for it cannot be used: ' +
  'instead of an enum write a const object, instead of a parameter property a field, instead of a namespace a module. ' +
  '"erasableSyntaxOnly": true in tsconfig.json lets the editor say so.';

/** Node puts `file:line`, the source up to the place and a caret in front of a syntax error's stack. */
function markedLine(stack: string): { readonly place: string; readonly lines: string } | undefined {
  const [, file, line, rest] = /^((?:file:\/\/)?\/.+):(\d+)\n([\s\S]*?)\n\s*(?:\n|\w*Error\b)/.exec(stack) ?? [];
  if (file === undefined || rest === undefined) return undefined;
  const source = rest.split('\n');
  const caret = source.findLastIndex((text) => /^\s*\^+\s*$/.test(text));
  const place = `${shortPath(pathOf(file))}:${line}${caret < 0 ? '' : `:${source[caret]!.indexOf('^') + 1}`}`;
  // Without a caret the last line is where the compiler gave up.
  const shown = caret < 0 ? source.slice(-1) : source.slice(Math.max(0, caret - 1), caret + 1);
  const lines = shown.map((text) => `  ${text.trimEnd()}`).join('\n');
  return { place, lines };
}

/**
 * Some syntax errors carry their place only where Node itself prints them. A module with such an error has not begun to
 * run, so a second Node can be asked to load it, for what it prints.
 */
function askAgain(url: string): { readonly place: string; readonly lines: string } | undefined {
  const script = ['--input-type=module', '--eval', `import ${JSON.stringify(url)}`];
  const { stderr } = spawnSync(process.execPath, [...process.execArgv, ...script], { encoding: 'utf8' });
  return markedLine(stderr.slice(Math.max(0, stderr.search(/^(file:\/\/)?\/.+:\d+$/m))));
}
