/**
 * What the compiler promises the user: each file of `packages/millrace/fixtures/types/bad` holds mistakes, each under a
 * line `// promised: …`, and what TypeScript 5.9 and 7 say to them is kept beside it. Each promised mistake is an error,
 * nothing else is, and the files of `good` compile. `UPDATE_SNAPSHOTS=1` writes the messages anew: then read the diff,
 * because a message is a part of the product.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const fixtures = join(root, 'packages/millrace/fixtures/types');
const compilers = { '5.9': 'typescript-5.9', '7': 'typescript' };
const badFiles = readdirSync(join(fixtures, 'bad')).filter((name) => name.endsWith('.ts'));

/** All that a compiler says, by the file it says it of. A message goes on over the indented lines that follow it. */
function messages(compiler: string): ReadonlyMap<string, string> {
  const tsc = join(root, 'node_modules', compiler, 'bin/tsc');
  const run = spawnSync(process.execPath, [tsc, '--project', '.', '--pretty', 'false'], {
    cwd: fixtures,
    encoding: 'utf8',
  });
  assert.equal(run.stderr, '');
  const said = new Map<string, string>();
  let file = '';
  for (const line of run.stdout.split('\n').filter(Boolean)) {
    file = /^(\S+?)\(\d+,\d+\): error/.exec(line)?.[1] ?? file;
    said.set(file, `${said.get(file) ?? ''}${line}\n`);
  }
  return said;
}

/** The lines right after each `// promised: …`. */
function promisedLines(path: string): number[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => (/^\s*\/\/ promised: /.test(line) ? [index + 2] : []));
}

for (const [version, compiler] of Object.entries(compilers)) {
  test(`TypeScript ${version} on the mistakes and on what is right`, async (t) => {
    const said = messages(compiler);

    await t.test('what is right compiles', () => {
      const complaints = [...said].filter(([file]) => !file.startsWith('bad/')).map(([, text]) => text);
      assert.deepEqual(complaints, []);
    });

    for (const name of badFiles) {
      const output = said.get(`bad/${name}`) ?? '';
      await t.test(`bad/${name}: every promised mistake is an error, and nothing else is`, () => {
        const lines = [...output.matchAll(/^bad\/\S+?\((\d+),/gm)].map(([, line]) => Number(line));
        assert.deepEqual([...new Set(lines)], promisedLines(join(fixtures, 'bad', name)));
      });
      await t.test(`bad/${name}: the messages are the ones we read and kept`, () => {
        const kept = join(fixtures, 'bad', name.replace(/\.ts$/, `.expected.${version}.txt`));
        if (process.env.UPDATE_SNAPSHOTS === '1') writeFileSync(kept, output);
        assert.ok(existsSync(kept), `no ${kept}: run this test with UPDATE_SNAPSHOTS=1, and read what it writes`);
        assert.equal(output, readFileSync(kept, 'utf8'));
      });
    }
  });
}
