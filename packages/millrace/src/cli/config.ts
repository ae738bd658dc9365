/** The config of a run: `--config FILE` (JSON), then each `--set path=value` on top of it, in order. */
import { readFileSync } from 'node:fs';
import { MillraceError, messageOf } from '../errors.ts';

type Tree = Record<string, unknown>;

export function readConfig(file?: string, sets: readonly string[] = []): unknown {
  if (file === undefined && sets.length === 0) return undefined;
  const config: unknown = file === undefined ? {} : parseFile(file);
  for (const set of sets) assign(config, set);
  return config;
}

/** Settings as `name=value` where a name has dots of its own: Kafka's. */
export function readConfigPairs(sets: readonly string[] = []): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    sets.map((set) => {
      const equals = set.indexOf('=');
      if (equals < 1) throw new MillraceError('MR_CONFIG', [`--set ${set}`, 'write --set name=value']);
      return [set.slice(0, equals), jsonOrText(set.slice(equals + 1))];
    }),
  );
}

function parseFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new MillraceError('MR_CONFIG', [file, messageOf(error)], error);
  }
}

/** `a.b=1` sets the 1 as JSON; what is no JSON is text, so `name=Ada` needs no quotes. */
function assign(config: unknown, set: string): void {
  const refuse = (why: string): never => {
    throw new MillraceError('MR_CONFIG', [`--set ${set}`, why]);
  };
  const equals = set.indexOf('=');
  if (equals < 1) refuse('write --set key=value, or --set outer.inner=value');
  const path = set.slice(0, equals).split('.');
  if (path.some((name) => name === '' || name === '__proto__')) refuse('every part of the key must be a name');
  let at = config;
  for (const [depth, name] of path.entries()) {
    if (typeof at !== 'object' || at === null || Array.isArray(at))
      refuse(`${depth === 0 ? 'the config' : `'${path.slice(0, depth).join('.')}'`} is not an object`);
    const tree = at as Tree;
    if (depth === path.length - 1) tree[name] = jsonOrText(set.slice(equals + 1));
    else if (!Object.hasOwn(tree, name)) tree[name] = {};
    at = tree[name];
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
