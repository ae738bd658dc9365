/**
 * No dead files and no dead exports. A file lives when an entry reaches it; a test is an entry, but not for the file it
 * stands beside: code that only its own test uses is dead code with a test. An export lives when another file takes it,
 * when it is part of a front door, or when its own file uses it and its own test takes it.
 */
import ts from 'typescript-5.9';
import type { Problem } from './problem.ts';
import { lineOf, type Module, type Project } from './project.ts';

export interface Kept {
  readonly path: string;
  /** Undefined keeps the file with all its exports. */
  readonly name?: string;
  readonly because: string;
}

/** Dead by the rule, kept for a reason. */
const keptAlive: readonly Kept[] = [
  { path: 'packages/millrace/src/storm/deep-hash.ts', because: 'graphs do not run on Apache Storm yet' },
];

export function deadCode(project: Project, kept: readonly Kept[] = keptAlive): Problem[] {
  const entries = [...project.modules.keys()].filter((path) => isEntry(project, path));
  const used = usedNames(project);
  const reached = reachable(project, [
    ...entries,
    ...kept.filter(({ name }) => name === undefined).map(({ path }) => path),
  ]);
  const problems: Problem[] = [];
  const excused = new Set<Kept>();
  for (const module of project.modules.values()) {
    if (isEntry(project, module.path) || module.path.includes('/fixtures/')) continue;
    const whole = kept.find(({ path, name }) => path === module.path && name === undefined);
    if (whole) excused.add(whole);
    else if (!reached.has(module.path)) problems.push(deadFile(module));
    else {
      for (const problem of deadExports(module, used.get(module.path) ?? new Map())) {
        const excuse = kept.find(({ path, name }) => path === module.path && name === problem.name);
        if (excuse) excused.add(excuse);
        else problems.push(problem);
      }
    }
  }
  for (const excuse of kept) if (!excused.has(excuse)) problems.push(needless(excuse));
  return problems;
}

/** Tests, examples, what a package exports, and what a package.json or `.ci/run` runs by its path. */
function isEntry(project: Project, path: string): boolean {
  if (/\.test\.ts$|^examples\//.test(path) || path === 'packages/millrace/src/cli/main.ts') return true;
  for (const [name, text] of project.files) {
    if (name === '.ci/run' && text.includes(path)) return true;
    if (!/(^|\/)package\.json$/.test(name)) continue;
    const folder = name.slice(0, -'package.json'.length);
    if (text.includes(path) || (path.startsWith(folder) && text.includes(`"./${path.slice(folder.length)}"`)))
      return true;
  }
  return false;
}

function reachable(project: Project, entries: readonly string[]): ReadonlySet<string> {
  const reached = new Set(entries);
  for (const path of reached) {
    for (const { target } of project.modules.get(path)?.imports ?? [])
      if (target && !isOwnTest(path, target)) reached.add(target);
  }
  return reached;
}

function isOwnTest(test: string, path: string): boolean {
  return test === path.replace(/\.ts$/, '.test.ts');
}

/** Who takes which name from which file: by target, then by name, the importing files. `*` takes all names. */
function usedNames(project: Project): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const used = new Map<string, Map<string, string[]>>();
  for (const module of project.modules.values()) {
    for (const { target, names } of module.imports) {
      if (!target) continue;
      const ofTarget = used.get(target) ?? new Map<string, string[]>();
      for (const name of names) ofTarget.set(name, [...(ofTarget.get(name) ?? []), module.path]);
      used.set(target, ofTarget);
    }
  }
  return used;
}

function deadFile(module: Module): Problem {
  return {
    place: module.path,
    found: 'no entry point reaches this file',
    instead: 'delete it with its test, or list it with a reason in tools/tidy/dead-code.ts',
    because: 'code that nothing runs is read, kept and believed for nothing',
  };
}

function deadExports(
  module: Module,
  takers: ReadonlyMap<string, readonly string[]>,
): (Problem & { readonly name: string })[] {
  const dead: (Problem & { readonly name: string })[] = [];
  for (const { name, node, isType } of exportsOf(module.source)) {
    const by = [...(takers.get(name) ?? []), ...(takers.get('*') ?? [])];
    if (by.some((path) => !isOwnTest(path, module.path))) continue;
    const inUse = mentions(module.source, name) > 1;
    if (inUse && (isType || by.length > 0)) continue;
    dead.push({
      name,
      place: `${module.path}:${lineOf(module.source, node)}`,
      found: by.length > 0 ? `only its own test uses ${name}` : `nothing imports ${name}`,
      instead: inUse ? 'drop the word `export`' : 'delete it',
      because: 'an export is a promise that another file relies on it',
    });
  }
  return dead;
}

interface Export {
  readonly name: string;
  readonly node: ts.Node;
  readonly isType: boolean;
}

function exportsOf(source: ts.SourceFile): Export[] {
  const found: Export[] = [];
  for (const statement of source.statements) {
    const exported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (!exported) continue;
    const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
    const declared = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
    for (const declaration of declared) {
      const name = 'name' in declaration ? (declaration.name as ts.Node | undefined) : undefined;
      if (name && ts.isIdentifier(name)) found.push({ name: name.text, node: declaration, isType });
    }
  }
  return found;
}

function mentions(source: ts.SourceFile, name: string): number {
  let count = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name) count += 1;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return count;
}

function needless(excuse: Kept): Problem {
  return {
    place: 'tools/tidy/dead-code.ts',
    found: `${excuse.path}${excuse.name ? ` ${excuse.name}` : ''} is listed as kept alive, and is alive or gone`,
    instead: 'remove the line',
    because: 'a list of exceptions is believed only while every line of it is true',
  };
}
