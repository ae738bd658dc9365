/**
 * Law 11: our code reads the clock, randomness, timers, the network and the disk only through the runtime that it was
 * handed. The few places that are the world itself, or stand at the edge of the process, are listed with their reason.
 */
import ts from 'typescript-5.9';
import type { Problem } from './problem.ts';
import { type Import, isTestOnly, lineOf, type Module, type Project } from './project.ts';

interface Exception {
  /** A file, or a folder with its slash. */
  readonly path: string;
  readonly because: string;
}

const worldsOwn: readonly Exception[] = [
  { path: 'packages/millrace/src/cli/', because: 'the command line is the process: it makes the real runtime' },
  { path: 'packages/millrace/src/runtime/', because: 'it is the runtime' },
  { path: 'packages/broker/src/log/clock.ts', because: "it is the broker's real clock, handed in by its caller" },
  {
    path: 'packages/broker/src/server/listener.ts',
    because: "it is the broker's real network; the protocol's server takes any wire",
  },
  { path: 'packages/broker/src/log/file-storage.ts', because: "it is the broker's real disk, handed in by its caller" },
  { path: 'packages/broker/src/log/directory-lock.ts', because: 'it is how the real disk keeps a second process out' },
  {
    path: 'packages/millrace/src/topic/memory-topic-log.ts',
    because: 'it stands in for the log in tests, and only there',
  },
  {
    path: 'packages/millrace/src/testing/random-topology.ts',
    because: 'it is user code for a test, and runs in virtual time',
  },
  {
    path: 'packages/millrace/src/testing/simulate/topologies/',
    because: 'they are user code for the simulator, and run in virtual time',
  },
  {
    path: 'packages/millrace/src/testing/start-virtual.ts',
    because: 'its source is user code for tests, and runs in virtual time',
  },
];

const calls: Readonly<Record<string, string>> = {
  'Date.now': 'clock.now()',
  'performance.now': 'the clock that was handed in',
  'process.hrtime': 'the clock that was handed in',
  'process.hrtime.bigint': 'the clock that was handed in',
  'Math.random': 'the random source that was handed in',
  'crypto.randomUUID': 'the random source that was handed in',
  'crypto.getRandomValues': 'the random source that was handed in',
  setTimeout: 'the timers that were handed in',
  setInterval: 'the timers that were handed in',
  setImmediate: 'the timers that were handed in',
  fetch: 'the sockets that were handed in',
};
const modules = /^(node:)?(fs|fs\/promises|net|http|https|http2|tls|dgram|timers|timers\/promises)$/;
/** Hashes are no part of the world; these are. */
const chance = /^(\*|default|random\w*|webcrypto|getRandomValues|generateKey\w*)$/;
const because = 'law 11: a whole pipeline runs in virtual time under a seed, and a failing seed replays';

export function determinism(project: Project, exceptions: readonly Exception[] = worldsOwn): Problem[] {
  const problems: Problem[] = [];
  const used = new Set<Exception>();
  for (const module of project.modules.values()) {
    if (!/^packages\/[^/]+\/src\//.test(module.path) || isTestOnly(module.path)) continue;
    const found = [...worldlyImports(module), ...worldlyCalls(module)];
    const exception = exceptions.find(({ path }) => module.path === path || module.path.startsWith(withSlash(path)));
    if (exception && found.length > 0) used.add(exception);
    else problems.push(...found);
  }
  for (const exception of exceptions) {
    if (used.has(exception)) continue;
    problems.push({
      place: 'tools/tidy/determinism.ts',
      found: `the exception for ${exception.path} excuses nothing`,
      instead: 'remove it, or correct the path',
      because: 'a list of exceptions is believed only while every line of it is true',
    });
  }
  return problems;
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

function worldlyImports(module: Module): Problem[] {
  return module.imports
    .filter((taken) => taken.kind !== 'type' && (modules.test(taken.specifier) || drawsLots(taken)))
    .map((taken) => ({
      place: `${module.path}:${taken.line}`,
      found: `imports ${taken.specifier}`,
      instead: 'use the runtime that was handed in, and add to the seam what it lacks',
      because,
    }));
}

function drawsLots(taken: Import): boolean {
  return /^(node:)?crypto$/.test(taken.specifier) && taken.names.some((name) => chance.test(name));
}

function worldlyCalls(module: Module): Problem[] {
  const problems: Problem[] = [];
  const visit = (node: ts.Node): void => {
    const name = worldly(node);
    if (name) {
      const place = `${module.path}:${lineOf(module.source, node)}`;
      problems.push({ place, found: name, instead: `use ${calls[name] ?? 'the clock that was handed in'}`, because });
    }
    ts.forEachChild(node, visit);
  };
  visit(module.source);
  return problems;
}

/** The forbidden name that this node reads, if it does. A reference counts as much as a call: it can be called later. */
function worldly(node: ts.Node): string | undefined {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()';
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText().replace(/^globalThis\./, '');
    return Object.hasOwn(calls, name) ? name : undefined;
  }
  if (!ts.isIdentifier(node) || !Object.hasOwn(calls, node.text)) return undefined;
  const { parent } = node;
  // `timers.setTimeout` is somebody's member, `setTimeout() {}` and `setTimeout: …` declare one.
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return undefined;
  const declares = 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
  return declares || ts.isTypeNode(parent) ? undefined : node.text;
}
