/**
 * Builds one package: `npm run build --workspace NAME`, which runs this in the package's folder.
 *
 * What `dist/` holds is what can be reached from the package's exports and from its command line, and nothing else:
 * the entries are handed to the compiler as files, so tests, fixtures and test-only modules are left out by not being
 * imported. There is no bundler; each source file becomes one `.js` and one `.d.ts`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Manifest {
  readonly exports: Readonly<Record<string, { readonly '@millrace/source': string }>>;
  readonly bin?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');
const here = process.cwd();
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

const entries = Object.values(manifest.exports).map((entry) => entry['@millrace/source']);
if (manifest.bin) entries.push('./src/cli/main.ts');
const missing = entries.filter((entry) => !existsSync(entry));
if (missing.length > 0) {
  console.error(`${relative(root, here)}: package.json names ${missing.join(', ')}, and there is no such file`);
  process.exit(1);
}

rmSync('dist', { recursive: true, force: true });
const config = {
  extends: relative(here, join(root, 'tsconfig.base.json')),
  compilerOptions: { rewriteRelativeImportExtensions: true, declaration: true, rootDir: 'src', outDir: 'dist' },
  files: entries,
};
// In the package's folder, because the compiler looks for packages and types from where its config is.
const configFile = '.build.tsconfig.json';
writeFileSync(configFile, JSON.stringify(config));
try {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '--project', configFile], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(configFile);
}
copyFileSync(join(root, 'LICENSE'), 'LICENSE');
