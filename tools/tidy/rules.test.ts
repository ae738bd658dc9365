/** Each rule of the tidy test on a small bad sample: that it sees what it is for, and lets the good form pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deadCode } from './dead-code.ts';
import { determinism } from './determinism.ts';
import { decisionNumbers, links, titles, unlisted } from './docs.ts';
import { importLaw } from './import-law.ts';
import { leftOver, lockFile } from './leftovers.ts';
import { importCycles, withoutBuiltins } from './load-order.ts';
import { describe, type Problem } from './problem.ts';
import { projectOf } from './project.ts';
import { exportForms, fileLength, fileNames, functionLength } from './shape.ts';

const src = 'packages/millrace/src';
const manifests = {
  'packages/millrace/package.json': JSON.stringify({
    name: 'millrace',
    exports: { '.': { '@millrace/source': './src/index.ts' }, './topic': { '@millrace/source': './src/topic.ts' } },
  }),
  'packages/broker/package.json': JSON.stringify({
    name: '@millrace/broker',
    exports: { '.': { '@millrace/source': './src/index.ts' } },
  }),
};

/** Place and finding of each problem, one a line. */
function seen(problems: readonly Problem[]): string[] {
  return problems.map(({ place, found }) => `${place}: ${found}`);
}

function importing(path: string, specifier: string, how = 'import { a }'): Problem[] {
  return importLaw(projectOf({ ...manifests, [path]: `${how} from '${specifier}';\n` }));
}

test('a problem says where, what, what instead and why', () => {
  const text = describe({ place: 'a.ts:3', found: 'x', instead: 'y', because: 'z' });
  assert.equal(text, 'a.ts:3: x\n    instead: y\n    because: z');
});

test('the import law refuses a folder that imports one above it, even for a type', () => {
  const found = `${src}/topology/stream.ts:1: topology/ imports engine/plan.ts`;
  assert.deepEqual(seen(importing(`${src}/topology/stream.ts`, '../engine/plan.ts')), [found]);
  assert.deepEqual(seen(importing(`${src}/topology/stream.ts`, '../engine/plan.ts', 'import type { A }')), [found]);
  assert.deepEqual(seen(importing(`${src}/topology/stream.ts`, '../engine/plan.ts', 'export { a }')), [found]);
});

test('the import law lets a folder import itself, those below it, errors and durations', () => {
  for (const specifier of ['./task.ts', '../topology/bolt.ts', '../state/value.ts', '../errors.ts', '../duration.ts'])
    assert.deepEqual(importing(`${src}/engine/plan.ts`, specifier), [], specifier);
});

test('the import law lets entry files, cli, testing and tests see everything', () => {
  for (const path of [`${src}/index.ts`, `${src}/cli/run.ts`, `${src}/testing/run.ts`, `${src}/codec/json.test.ts`])
    assert.deepEqual(importing(path, path.endsWith('index.ts') ? './engine/plan.ts' : '../engine/plan.ts'), [], path);
});

test('the import law keeps entry files, unlisted folders and stray files out of the way', () => {
  assert.deepEqual(seen(importing(`${src}/engine/plan.ts`, '../index.ts')), [
    `${src}/engine/plan.ts:1: engine/ imports index.ts, a front door`,
  ]);
  assert.deepEqual(seen(importing(`${src}/extras/more.ts`, '../codec/json.ts')), [
    `${src}/extras/more.ts:1: folder extras/ has no row in the import law`,
  ]);
  assert.deepEqual(seen(importing(`${src}/stray.ts`, './codec/json.ts')), [
    `${src}/stray.ts:1: stray.ts is no entry file`,
  ]);
  assert.deepEqual(seen(importing(`${src}/errors.ts`, './codec/json.ts')), [
    `${src}/errors.ts:1: errors.ts, open to all, imports codec/json.ts`,
  ]);
  assert.deepEqual(seen(importing(`${src}/engine/plan.ts`, 'millrace/topic')), [
    `${src}/engine/plan.ts:1: imports its own package as millrace/topic`,
  ]);
});

test('the import law lets topic/ import the broker, and only by its front door', () => {
  assert.deepEqual(importing(`${src}/topic/log.ts`, '@millrace/broker'), []);
  assert.deepEqual(seen(importing(`${src}/engine/plan.ts`, '@millrace/broker')), [
    `${src}/engine/plan.ts:1: engine/ imports the broker`,
  ]);
  assert.deepEqual(seen(importing(`${src}/topic/log.ts`, '../../../broker/src/log/log.ts')), [
    `${src}/topic/log.ts:1: imports ../../../broker/src/log/log.ts of the broker`,
  ]);
});

test('the import law keeps the broker alone, its tests too', () => {
  assert.deepEqual(seen(importing('packages/broker/src/log/log.test.ts', 'millrace')), [
    'packages/broker/src/log/log.test.ts:1: the broker imports millrace',
  ]);
});

test('the import law keeps examples at the front doors', () => {
  assert.deepEqual(importing('examples/01-count/count.ts', 'millrace/topic'), []);
  assert.deepEqual(seen(importing('examples/01-count/count.ts', '../../packages/millrace/src/index.ts')), [
    `examples/01-count/count.ts:1: reaches into ${src}/index.ts`,
  ]);
});

test('an import cycle is found by whatever way round, and types make none', () => {
  const cycle = { 'a.ts': "import { b } from './b.ts';", 'b.ts': "export { c } from './c.ts';" };
  assert.deepEqual(seen(importCycles(projectOf({ ...cycle, 'c.ts': "import { a } from './a.ts';" }))), [
    'a.ts: import cycle a.ts → b.ts → c.ts → a.ts',
  ]);
  assert.deepEqual(importCycles(projectOf({ ...cycle, 'c.ts': "import type { a } from './a.ts';" })), []);
  assert.deepEqual(importCycles(projectOf({ ...cycle, 'c.ts': "await import('./a.ts');" })), []);
});

test('a Node built-in behind the root entry is found, however deep and however late', () => {
  const files = { 'index.ts': "import './a.ts';", 'a.ts': "await import('./b.ts');" };
  assert.deepEqual(seen(withoutBuiltins(projectOf({ ...files, 'b.ts': "import { join } from 'path';" }), 'index.ts')), [
    'b.ts:1: path is loaded by index.ts → a.ts → b.ts',
  ]);
  assert.deepEqual(
    withoutBuiltins(projectOf({ ...files, 'b.ts': "import type { Stats } from 'node:fs';" }), 'index.ts'),
    [],
  );
});

test('law 11 sees the clock, chance, timers and the disk, called or handed on', () => {
  const text = [
    "import { readFileSync } from 'node:fs';",
    'const born = Date.now() + new Date().getTime();',
    'export const wait = setTimeout;',
    'export const options = { setInterval };',
    'globalThis.performance.now();',
    "import type { Stats } from 'node:fs';",
    'export const fine = { setTimeout(ms: number) {} }.setTimeout(new Date(0).getTime());',
    'export const seam = { random: Math.random };',
    "import { createHash, randomUUID } from 'node:crypto';",
    "import { createHmac } from 'node:crypto';",
  ].join('\n');
  const path = `${src}/engine/loop.ts`;
  assert.deepEqual(seen(determinism(projectOf({ [path]: text }), [])), [
    `${path}:1: imports node:fs`,
    `${path}:9: imports node:crypto`,
    `${path}:2: Date.now`,
    `${path}:2: new Date()`,
    `${path}:3: setTimeout`,
    `${path}:4: setInterval`,
    `${path}:5: performance.now`,
    `${path}:8: Math.random`,
  ]);
});

test('law 11 spares what is excused and tests, and does not keep a needless excuse', () => {
  const text = 'Date.now();';
  const project = projectOf({ [`${src}/runtime/real.ts`]: text, [`${src}/engine/a.test.ts`]: text });
  const excuse = (path: string) => ({ path, because: 'it is the world' });
  assert.deepEqual(determinism(project, [excuse(`${src}/runtime/`)]), []);
  assert.deepEqual(seen(determinism(project, [excuse(`${src}/runtime/`), excuse(`${src}/cli/`)])), [
    `tools/tidy/determinism.ts: the exception for ${src}/cli/ excuses nothing`,
  ]);
});

test('a file that only its own test imports is dead', () => {
  const files = {
    ...manifests,
    [`${src}/index.ts`]: "export { live } from './codec/live.ts';",
    [`${src}/codec/live.ts`]: 'export const live = 1;',
    [`${src}/codec/dead.ts`]: 'export const dead = 1;',
    [`${src}/codec/dead.test.ts`]: "import { dead } from './dead.ts';",
  };
  const path = `${src}/codec/dead.ts`;
  assert.deepEqual(seen(deadCode(projectOf(files), [])), [`${path}: no entry point reaches this file`]);
  assert.deepEqual(deadCode(projectOf(files), [{ path, because: 'its user comes next' }]), []);
});

test('a dead export is found, and an excuse for a live one', () => {
  const path = `${src}/codec/json.ts`;
  const files = {
    ...manifests,
    [`${src}/index.ts`]: "export { json } from './codec/json.ts';",
    [path]: [
      'export interface Seen {}',
      'export function json(s: Seen) { return depth(s); }',
      'export function depth(s: Seen) { return s; }',
      'export const unused = 1;',
      'export const tested = 2;',
      'export interface Unseen {}',
    ].join('\n'),
    [`${src}/codec/json.test.ts`]: "import { depth, tested } from './json.ts';",
  };
  assert.deepEqual(seen(deadCode(projectOf(files), [{ path, name: 'json', because: 'a reason' }])), [
    `${path}:4: nothing imports unused`,
    `${path}:5: only its own test uses tested`,
    `${path}:6: nothing imports Unseen`,
    `tools/tidy/dead-code.ts: ${path} json is listed as kept alive, and is alive or gone`,
  ]);
});

test('a long file and a long function are found', () => {
  const lines = (count: number) => '// a line\n'.repeat(count);
  const long = projectOf({ 'a.ts': lines(601), 'b.ts': lines(600), 'c.ts': lines(700) });
  assert.deepEqual(seen(fileLength(long, { 'c.ts': 'a table' })), ['a.ts: 601 lines']);
  const functions = `const f = () => {\n${lines(69)}};\nfunction g() {\n${lines(68)}}\n`;
  assert.deepEqual(seen(functionLength(projectOf({ 'a.ts': functions }))), ['a.ts:1: a function is 71 lines long']);
});

test('the functions inside a function are counted with them', () => {
  const lines = (count: number) => '// a line\n'.repeat(count);
  const factory = (inner: number) => `function f() {\n${lines(60)}const g = () => {\n${lines(inner)}};\n}\n`;
  assert.deepEqual(functionLength(projectOf({ 'a.ts': factory(60) })), []);
  assert.deepEqual(seen(functionLength(projectOf({ 'a.ts': factory(69) }))), ['a.ts:62: a function is 71 lines long']);
});

test('file names are kebab-case', () => {
  const files = { 'src/a-b.test.ts': '', 'src/MyFile.ts': '', 'README.md': '', '.gitignore': '', 'src/a_b.ts': '' };
  assert.deepEqual(
    fileNames(projectOf(files)).map(({ place, instead }) => `${place} ${instead}`),
    ['src/MyFile.ts name it my-file.ts', 'src/a_b.ts name it a-b.ts'],
  );
});

test('export *, default exports and any in a signature are found', () => {
  const text = [
    "export * from './b.ts';",
    'export default 1;',
    'export function f(x: any) { const y: any = x; return y; }',
    'function inner(x: any) {}',
    "export * as named from './c.ts';",
  ].join('\n');
  assert.deepEqual(seen(exportForms(projectOf({ 'a.ts': text }))), [
    'a.ts:1: `export *`',
    'a.ts:2: a default export',
    'a.ts:3: `any` in an exported signature',
  ]);
  assert.deepEqual(exportForms(projectOf({ 'examples/01-count/count.ts': 'export default 1;' })), []);
});

test('a page without a title, or with two, is found; a comment in a code block is no title', () => {
  const files = {
    'docs/none.md': '## Part\n',
    'docs/two.md': '# One\n\n# Two\n',
    'docs/good.md': '# One\n\n```sh\n# not a title\n```\n',
  };
  assert.deepEqual(seen(titles(projectOf(files))), [
    'docs/none.md: 0 titles (lines that start with one #)',
    'docs/two.md:3: 2 titles (lines that start with one #)',
  ]);
});

test('a link to a missing file or heading is found', () => {
  const files = {
    'docs/a.md': '# A\n[b](b.md#the-second-part) [c](../docs) [d](#a) [e](https://example.org) `[f](g.md)`\n',
    'docs/b.md': '# B\n[a](c.md)\n[a](a.md#z)\n## The `second` part\n',
  };
  assert.deepEqual(seen(links(projectOf(files))), [
    'docs/b.md:2: link to c.md: no file docs/c.md',
    'docs/b.md:3: link to a.md#z: no heading #z in docs/a.md',
  ]);
});

test('a page that the list of pages leaves out is found', () => {
  const files = {
    'docs/README.md': '# Docs\n[a](guides/a.md#part) [b](decisions)\n',
    'docs/guides/a.md': '# A\n',
    'docs/guides/b.md': '# B\n',
    'docs/decisions/0001-c.md': '# C\n',
    'README.md': '# R\n[b](docs/guides/b.md)\n',
  };
  assert.deepEqual(seen(unlisted(projectOf(files))), ['docs/guides/b.md: docs/README.md has no link to it']);
});

test('two decisions with one number are found', () => {
  const at = (name: string) => `docs/decisions/${name}.md`;
  const files = { [at('0001-a')]: '', [at('0002-b')]: '', [at('0002-c')]: '', [at('0007-d')]: '' };
  assert.deepEqual(seen(decisionNumbers(projectOf(files))), [
    `${at('0002-c')}: its number is that of ${at('0002-b')}, too`,
  ]);
});

test('unfinished business, the writer’s own paths and registries are found', () => {
  const text = [
    '// TO',
    'DO: later\nconst path = "/ho',
    'me/me/x";\nhttps://npm.regi',
    'stry.example/x\n/homework',
  ].join('');
  assert.deepEqual(seen(leftOver(projectOf({ 'a.ts': text }))), [
    `a.ts:1: "${'TO'}DO"`,
    `a.ts:2: "/${'ho'}me/m"`,
    `a.ts:3: "https://npm.${'regi'}stry"`,
  ]);
});

test('a lock file that names a host or lacks a hash or a platform is found', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/a': { resolved: 'https://npm.example/a.tgz', integrity: 'sha512-x' },
      'node_modules/b': { optionalDependencies: { 'b-linux': '1', 'b-mac': '1' }, integrity: 'sha512-x' },
      'node_modules/b-linux': {},
      'node_modules/c': { resolved: 'packages/c', link: true },
    },
  };
  assert.deepEqual(seen(lockFile(projectOf({ 'package-lock.json': JSON.stringify(lock) }))), [
    'package-lock.json, node_modules/a: resolved from https://npm.example/a.tgz',
    'package-lock.json, node_modules/b: its optional dependency b-mac is not locked',
    'package-lock.json, node_modules/b-linux: no integrity',
  ]);
});
