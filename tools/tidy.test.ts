/** Style is a test: the repository against every rule of tools/tidy/. What a rule says is tested in rules.test.ts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { deadCode } from './tidy/dead-code.ts';
import { determinism } from './tidy/determinism.ts';
import { decisionNumbers, links, titles, unlisted } from './tidy/docs.ts';
import { importLaw } from './tidy/import-law.ts';
import { leftOver, lockFile } from './tidy/leftovers.ts';
import { importCycles, withoutBuiltins } from './tidy/load-order.ts';
import { describe, type Problem } from './tidy/problem.ts';
import { type Project, projectOnDisk } from './tidy/project.ts';
import { exportForms, fileLength, fileNames, functionLength } from './tidy/shape.ts';

const rules: Readonly<Record<string, (project: Project) => Problem[]>> = {
  'each folder imports only what the import law lets it': (project) => importLaw(project),
  'no two files import each other, by whatever way round': importCycles,
  'the root entry loads no Node built-in': (project) => withoutBuiltins(project, 'packages/millrace/src/index.ts'),
  'law 11: the world is reached only through the runtime': (project) => determinism(project),
  'no file and no export is dead': (project) => deadCode(project),
  'files are short, or say why not': (project) => fileLength(project),
  'functions are short': functionLength,
  'file names are in kebab-case': fileNames,
  'exports have names and types': exportForms,
  'every page has one title': titles,
  'every link of a page leads somewhere': links,
  'every page of docs is in its list': unlisted,
  'each decision has a number of its own': decisionNumbers,
  'nothing is left lying about': leftOver,
  'the lock file is whole and names no host': lockFile,
};

const repository = projectOnDisk(join(import.meta.dirname, '..'));

for (const [name, rule] of Object.entries(rules)) {
  test(name, () => {
    const problems = rule(repository);
    if (problems.length > 0) assert.fail(`\n${problems.map(describe).join('\n')}`);
  });
}
