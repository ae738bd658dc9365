/**
 * Docs compile: a TypeScript block that begins with its imports is a whole module that a reader can copy, and is checked
 * as one; one that holds tests of its own is run. A block without imports shows a part.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript-5.9';

const root = join(import.meta.dirname, '..');

interface Block {
  /** Where a module of this block would stand. It is never written. */
  readonly file: string;
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n((?:\/\/.*\n)*import [\s\S]*?)^```$/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    return { file: join(root, `${page}.${line}.ts`), page, line, text: match[1] ?? '' };
  });
}

/** The compiler's options of this repository, and its host with the blocks as files. */
function check(blocks: readonly Block[]): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {},
    {
      ...ts.sys,
      readDirectory: () => [],
      onUnRecoverableConfigFileDiagnostic: () => {},
    },
  );
  const options: ts.CompilerOptions = { ...config?.options, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(options);
  const virtual = new Map(blocks.map(({ file, text }) => [file, text]));
  const { readFile, fileExists } = host;
  host.readFile = (name) => virtual.get(name) ?? readFile(name);
  host.fileExists = (name) => virtual.has(name) || fileExists(name);
  const program = ts.createProgram([...virtual.keys()], options, host);
  return blocks.flatMap(({ file, page, line }) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((problem) => {
      const at = source?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0;
      return `${page}:${line + 1 + at}: ${ts.flattenDiagnosticMessageText(problem.messageText, '\n')}`;
    });
  });
}

/** Runs a block as a module of this repository; rejects with what it printed when one of its tests fails. */
function run({ page, line, text }: Block): Promise<void> {
  const how = ['--conditions=@millrace/source', '--input-type=module-typescript', '--eval', text];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      how,
      { cwd: root, env: { ...process.env, NODE_TEST_CONTEXT: undefined } },
      (failed, out, err) => {
        if (failed === null) resolve();
        else reject(new Error(`${page}:${line}: ${out}${err}`));
      },
    );
  });
}

const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'];
const pages = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
const blocks = pages.flatMap(blocksOf);

test('every block of a page that holds tests passes them', { concurrency: 2 }, async (t) => {
  const tested = blocks.filter(({ text }) => text.includes("from 'node:test'"));
  assert.ok(tested.length > 0);
  await Promise.all(tested.map((block) => t.test(`${block.page}:${block.line}`, () => run(block))));
});

test('every block of a page that is a whole module compiles', () => {
  assert.ok(blocks.length > 0);
  assert.deepEqual(check(blocks), [], 'mend the block; if it shows a part only, leave its imports out');
});
