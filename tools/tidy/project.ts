/**
 * The repository as the tidy rules see it: a set of files, and the TypeScript ones among them parsed, with what each
 * imports. A project is made from the disk for the real check and from a few strings for the tests of the rules.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript-5.9';

export interface Import {
  readonly line: number;
  readonly specifier: string;
  /** The file of this project that the specifier means; undefined for Node's modules and for installed packages. */
  readonly target: string | undefined;
  /** `load` runs the other module first, `type` leaves no trace at run time, `later` is `import()` or a module's URL. */
  readonly kind: 'load' | 'type' | 'later';
  /** The names taken from the other module, in its own spelling; `*` means all of them. */
  readonly names: readonly string[];
}

export interface Module {
  readonly path: string;
  readonly text: string;
  readonly source: ts.SourceFile;
  readonly imports: readonly Import[];
}

export interface Project {
  /** Every text file that is tracked, or would be by `git add`, by its path from the root. */
  readonly files: ReadonlyMap<string, string>;
  readonly modules: ReadonlyMap<string, Module>;
}

/** Tests, and what stands beside them to be run by them: no part of what is shipped. */
export function isTestOnly(path: string): boolean {
  return /\.(test|fixture)\.ts$|\/fixtures\//.test(path);
}

export function projectOnDisk(root: string): Project {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const paths = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  const present = [...new Set(paths)].filter((path) => existsSync(join(root, path))).sort();
  return projectOf(Object.fromEntries(present.map((path) => [path, readFileSync(join(root, path), 'utf8')])));
}

export function projectOf(contents: Readonly<Record<string, string>>): Project {
  const files = new Map(Object.entries(contents));
  const packages = sourceEntries(files);
  const modules = new Map<string, Module>();
  for (const [path, text] of files) {
    if (!/\.m?ts$/.test(path)) continue;
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const resolve = (specifier: string) =>
      specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : packages.get(specifier);
    modules.set(path, { path, text, source, imports: importsOf(source, resolve) });
  }
  return { files, modules };
}

/** What `millrace/topic` and its like mean, read from the packages' own exports. */
function sourceEntries(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const [path, text] of files) {
    if (!/^packages\/[^/]+\/package\.json$/.test(path)) continue;
    const { name, exports } = JSON.parse(text) as { name: string; exports?: Record<string, Record<string, string>> };
    for (const [subpath, conditions] of Object.entries(exports ?? {})) {
      const source = conditions['@millrace/source'];
      if (source) entries.set(posix.join(name, subpath), posix.join(posix.dirname(path), source));
    }
  }
  return entries;
}

export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

function importsOf(source: ts.SourceFile, resolve: (specifier: string) => string | undefined): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, kind: Import['kind'], names: readonly string[]) => {
    if (!specifier || !ts.isStringLiteral(specifier)) return;
    found.push({
      line: lineOf(source, node),
      specifier: specifier.text,
      target: resolve(specifier.text),
      kind,
      names,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      add(node, node.moduleSpecifier, clause?.isTypeOnly ? 'type' : 'load', importedNames(clause));
    } else if (ts.isExportDeclaration(node)) {
      const names = node.exportClause && ts.isNamedExports(node.exportClause) ? namesOf(node.exportClause) : ['*'];
      add(node, node.moduleSpecifier, node.isTypeOnly ? 'type' : 'load', names);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, 'type', ['*']);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], 'later', ['*']);
    } else if (isModuleUrl(node)) {
      add(node, node.arguments?.[0], 'later', ['*']);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `new URL('./other.ts', import.meta.url)`: how a worker or a child process is named. */
function isModuleUrl(node: ts.Node): node is ts.NewExpression {
  return (
    ts.isNewExpression(node) &&
    node.expression.getText() === 'URL' &&
    node.arguments?.[1]?.getText() === 'import.meta.url' &&
    /\.ts['"]$/.test(node.arguments[0]?.getText() ?? '')
  );
}

function importedNames(clause: ts.ImportClause | undefined): readonly string[] {
  if (!clause) return [];
  const bindings = clause.namedBindings;
  const named = bindings ? (ts.isNamedImports(bindings) ? namesOf(bindings) : ['*']) : [];
  return clause.name ? ['default', ...named] : named;
}

function namesOf(list: ts.NamedImports | ts.NamedExports): readonly string[] {
  return list.elements.map((element) => (element.propertyName ?? element.name).text);
}
