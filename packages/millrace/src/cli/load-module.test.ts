import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadTopology } from './load-module.ts';
import { shortPath } from './user-frames.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-load-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'package.json'), '{"type":"module"}');

function module(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** What the user is told, with the folder taken out. */
async function told(file: string): Promise<string> {
  try {
    await loadTopology(file);
  } catch (error) {
    return (error as Error).message.replaceAll(`${shortPath(folder)}/`, '').replaceAll(`${folder}/`, '');
  }
  assert.fail('it was loaded');
}

test('a module whose default export is a topology gives it, types and all', async () => {
  const file = module('good.ts', 'const name: string = "t";\nexport default { name, build: () => ({}) };\n');
  assert.equal((await loadTopology(file)).name, 't');
});

test('syntax that Node cannot strip is shown with its place, a caret, and what to write instead', async () => {
  const enums = await told(module('enum.ts', 'const a: number = 1;\nexport enum X { A }\n'));
  assert.match(
    enums,
    /^enum\.ts:2:8: TypeScript enum is not supported.+\n {2}export enum X \{ A \}\n {9}\^+\n.+const object/,
  );
  const property = await told(module('property.ts', 'class A {\n  constructor(private x: number) {}\n}\n'));
  assert.match(property, /^property\.ts:2:\d+: TypeScript parameter property/);
});

test('a syntax error is shown where it is, in an imported module too', async () => {
  module('broken.ts', 'const a: number = 1;\nconst b = = 2;\n');
  const text = await told(module('importer.ts', "import './broken.ts';\n"));
  assert.match(text, /^broken\.ts:2:11: .+\n {2}const b = = 2;\n {12}\^$/);
});

test('an error that only V8 finds has its place as well', async () => {
  const text = await told(module('twice.ts', 'export default 1;\nconst a: number = 1; const a = 2;\n'));
  assert.match(text, /^twice\.ts:2:\d+: Identifier 'a' has already been declared\n.+\n +\^/);
});

test('a missing name and a missing file are named', async () => {
  assert.match(await told(module('name.ts', "import { nope } from 'node:fs';\n")), /^name\.ts:1:10: .+'nope'/);
  assert.match(await told(module('gone.ts', "import './no-such-file.ts';\n")), /cannot be loaded: .+no-such-file\.ts/);
  assert.match(await told(join(folder, 'absent.ts')), /there is no file .*absent\.ts/);
});

test('what a module throws is shown with its own frames and none of ours', async () => {
  const text = await told(module('throws.ts', 'function f() {\n  throw new TypeError("boom");\n}\nf();\n'));
  assert.equal(
    text.replace(/\(.*throws/, '(throws').replace(/at .*throws.ts:4:1$/m, 'at throws.ts:4:1'),
    `${join(folder, 'throws.ts').replace(`${folder}/`, '')} threw while it was loaded: TypeError: boom\n    at f (throws.ts:2:9)\n    at throws.ts:4:1`,
  );
});

test('without a topology as its default export a module is told what to end with', async () => {
  assert.match(
    await told(module('none.ts', 'export const a = 1;\n')),
    /^none\.ts has no default export: .+export default topology/,
  );
  assert.match(await told(module('five.ts', 'export default 5;\n')), /^five\.ts exports a number by default/);
  const named = 'export const mine = { name: "t", build() {} };\n';
  assert.match(await told(module('named.ts', named)), /its export 'mine' is a topology/);
});

test('what is no file is told apart from what is not there', async () => {
  assert.match(await told(join(folder, 'missing.ts')), /^there is no file .*missing\.ts: name a topology module/);
  assert.match(await told(folder), /is not a file: name a topology module, such as src\/topology\.ts$/);
});
