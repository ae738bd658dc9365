/** Pages: one title each, links that lead somewhere, and a way to each from the first. */
import { posix } from 'node:path';
import type { Problem } from './problem.ts';
import type { Project } from './project.ts';

interface Line {
  readonly number: number;
  readonly text: string;
}

/** The lines of a page outside its code blocks. */
function prose(page: string): Line[] {
  const lines: Line[] = [];
  let fence: string | undefined;
  for (const [index, text] of page.split('\n').entries()) {
    const [mark] = /^\s*(`{3,}|~{3,})/.exec(text) ?? [];
    if (mark && fence === undefined) fence = mark.trim();
    else if (mark?.trim().startsWith(fence ?? '')) fence = undefined;
    else if (fence === undefined) lines.push({ number: index + 1, text });
  }
  return lines;
}

function pagesOf(project: Project): [path: string, text: string][] {
  return [...project.files].filter(([path]) => path.endsWith('.md') && !path.includes('/fixtures/'));
}

export function titles(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const [path, text] of pagesOf(project)) {
    const found = prose(text).filter((line) => /^# /.test(line.text));
    if (found.length === 1) continue;
    problems.push({
      place: found[1] ? `${path}:${found[1].number}` : path,
      found: `${found.length} titles (lines that start with one #)`,
      instead: found.length === 0 ? 'begin the page with `# What it is about`' : 'make the further ones `##`',
      because: 'a page is about one thing, and says which',
    });
  }
  return problems;
}

export function links(project: Project): Problem[] {
  const problems: Problem[] = [];
  const folders = new Set([...project.files.keys()].flatMap(foldersOf));
  for (const [path, text] of pagesOf(project)) {
    for (const { number, text: line } of prose(text)) {
      for (const [, to = ''] of line.replace(/`[^`]*`/g, '').matchAll(/\]\(([^()\s]+(?:\([^()]*\))?)\)/g)) {
        if (/^[a-z]+:/.test(to)) continue;
        const [file = '', anchor] = to.split('#');
        const target = file === '' ? path : posix.join(posix.dirname(path), file).replace(/\/$/, '');
        const page = project.files.get(target);
        const missing = page === undefined && !folders.has(target) ? `no file ${target}` : undefined;
        const unnamed =
          anchor && page && !anchorsOf(page).has(anchor) ? `no heading #${anchor} in ${target}` : undefined;
        const found = missing ?? unnamed;
        if (found === undefined) continue;
        problems.push({
          place: `${path}:${number}`,
          found: `link to ${to}: ${found}`,
          instead: 'correct the link, or write the page',
          because: 'a reader follows it',
        });
      }
    }
  }
  return problems;
}

/** Each page of docs/ is linked from docs/README.md itself. Decisions are found by their folder. */
export function unlisted(project: Project): Problem[] {
  const index = project.files.get('docs/README.md') ?? '';
  const listed = new Set([...index.matchAll(/\]\(([^()#\s]+)/g)].map(([, to = '']) => posix.join('docs', to)));
  return pagesOf(project)
    .map(([path]) => path)
    .filter((path) => path.startsWith('docs/') && path !== 'docs/README.md')
    .filter((path) => !listed.has(path) && !listed.has(posix.dirname(path)))
    .map((path) => ({
      place: path,
      found: 'docs/README.md has no link to it',
      instead: 'add it to that list',
      because: 'a page that nothing leads to is not read',
    }));
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, depth) => parts.slice(0, depth + 1).join('/'));
}

/** As GitHub makes them: lower case, punctuation dropped, spaces to hyphens. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = prose(page).flatMap(({ text }) => /^#{1,6} +(.+?) *$/.exec(text)?.[1] ?? []);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** No two records of decisions share a number, so that `0007` names one of them. */
export function decisionNumbers(project: Project): Problem[] {
  const taken = new Map<string, string>();
  const problems: Problem[] = [];
  for (const path of [...project.files.keys()].sort()) {
    const number = /^docs\/decisions\/(\d{4})-/.exec(path)?.[1];
    if (number === undefined) continue;
    const other = taken.get(number);
    if (other !== undefined)
      problems.push({
        place: path,
        found: `its number is that of ${other}, too`,
        instead: 'give it the next free number',
        because: 'a number names one decision',
      });
    taken.set(number, path);
  }
  return problems;
}
