/** The shape of a source file: its length, its functions' length, its name, and the form of what it exports. */
import ts from 'typescript-5.9';
import type { Problem } from './problem.ts';
import { lineOf, type Module, type Project } from './project.ts';

const longestFile = 600;
const longestFunction = 70;

/** Files past the limit, each with the reason why it is better whole. */
const longFiles: Readonly<Record<string, string>> = {};

export function fileLength(project: Project, excused = longFiles): Problem[] {
  const problems: Problem[] = [];
  for (const { path, text } of project.modules.values()) {
    const lines = text.split('\n').length - 1;
    if (lines > longestFile && !Object.hasOwn(excused, path))
      problems.push({
        place: path,
        found: `${lines} lines`,
        instead: `split it by what its parts are for, or list it with a reason in tools/tidy/shape.ts`,
        because: `past ${longestFile} lines a file is no longer one thing`,
      });
  }
  return problems;
}

/**
 * A function's own lines: those of the functions inside it are counted with them, so that a factory of closures is
 * measured as a class would be. Tests are left out: a `describe` is a list, not a piece of reasoning.
 */
export function functionLength(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const { path, source } of project.modules.values()) {
    if (path.endsWith('.test.ts')) continue;
    /** The lines inside `node`, less those of the functions in it; each of these is judged on the way. */
    const ownLines = (node: ts.Node): number => {
      let own = linesOf(source, node);
      const within = (child: ts.Node): void => {
        if (isFunction(child)) own -= judge(child) - 1;
        else ts.forEachChild(child, within);
      };
      ts.forEachChild(node, within);
      return own;
    };
    const judge = (node: ts.SignatureDeclaration): number => {
      const own = ownLines(node);
      if (own > longestFunction)
        problems.push({
          place: `${path}:${lineOf(source, node)}`,
          found: `${node.name?.getText() ?? 'a function'} is ${own} lines long`,
          instead: 'give a name to a part of it and move that part out',
          because: `past ${longestFunction} lines nobody keeps the whole of a function in mind`,
        });
      return linesOf(source, node);
    };
    ownLines(source);
  }
  return problems;
}

function isFunction(node: ts.Node): node is ts.SignatureDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

function linesOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node);
}

const namedByCustom = new Set(['README.md', 'LICENSE', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']);

export function fileNames(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const path of project.files.keys()) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (namedByCustom.has(name) || /^\.?[a-z0-9]+([-.][a-z0-9]+)*$/.test(name)) continue;
    problems.push({
      place: path,
      found: 'the file name is not in kebab-case',
      instead: `name it ${kebab(name)}`,
      because: 'one spelling, so that a name can be typed from memory and works on every file system',
    });
  }
  return problems;
}

function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[^A-Za-z0-9.]+/g, '-')
    .toLowerCase();
}

/** No `export *`, no default export but a topology's own, no `any` in what others see. */
export function exportForms(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const module of project.modules.values()) {
    for (const statement of module.source.statements) {
      const place = `${module.path}:${lineOf(module.source, statement)}`;
      if (ts.isExportDeclaration(statement) && !statement.exportClause)
        problems.push({
          place,
          found: '`export *`',
          instead: 'name what is exported',
          because: 'what a front door offers should be readable there, and grow on purpose only',
        });
      if (isDefaultExport(statement) && !mayExportDefault(module.path))
        problems.push({
          place,
          found: 'a default export',
          instead: 'export it by name',
          because: 'a default export has a new name in every importer; only a topology module has one',
        });
      if (isExported(statement)) problems.push(...anyIn(module, statement));
    }
  }
  return problems;
}

function mayExportDefault(path: string): boolean {
  return /^examples\/|^test\/kill\/jobs\/|\/fixtures\/|\/templates?\/|\.test\.ts$/.test(path);
}

function modifiersOf(statement: ts.Statement): readonly ts.SyntaxKind[] {
  return ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []).map(({ kind }) => kind) : [];
}

function isExported(statement: ts.Statement): boolean {
  return modifiersOf(statement).includes(ts.SyntaxKind.ExportKeyword);
}

function isDefaultExport(statement: ts.Statement): boolean {
  return ts.isExportAssignment(statement) || modifiersOf(statement).includes(ts.SyntaxKind.DefaultKeyword);
}

function anyIn(module: Module, statement: ts.Statement): Problem[] {
  const problems: Problem[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) return;
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      problems.push({
        place: `${module.path}:${lineOf(module.source, node)}`,
        found: '`any` in an exported signature',
        instead: 'say what it is, or `unknown`, or a type parameter',
        because: '`any` turns the checker off in the code of whoever calls this',
      });
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return problems;
}
