/** What must not be left lying in a tracked file: unfinished business, and traces of the place where it was written. */
import type { Problem } from './problem.ts';
import type { Project } from './project.ts';

interface Leftover {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly because: string;
}

// The words are written in two parts, so that this file may stand under its own rule.
const leftovers: readonly Leftover[] = [
  {
    pattern: new RegExp(`\\b(?:${'TO'}DO|${'FIX'}ME|${'X'}XX)\\b`),
    instead: 'do it, or open an issue',
    because: 'a note in a file is seen by nobody who could act on it',
  },
  {
    pattern: new RegExp(`(?<![\\w.])/(?:${'wo'}rk|${'ro'}ot|${'ho'}me|${'Us'}ers)/\\w`),
    instead: 'a path from the root of the repository, or one made at run time',
    because: 'the path exists on one machine only',
  },
  {
    pattern: new RegExp(`https?://[^/\\s]*(?:${'regi'}stry|${'artifac'}tory|${'ne'}xus)`, 'i'),
    instead: "leave the registry to the user's npm settings",
    because: 'whoever clones this may be behind a mirror of their own',
  },
];

export function leftOver(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const [path, text] of project.files) {
    const lines = text.split('\n');
    for (const { pattern, instead, because } of leftovers) {
      for (const [index, line] of lines.entries()) {
        const [match] = pattern.exec(line) ?? [];
        if (match) problems.push({ place: `${path}:${index + 1}`, found: JSON.stringify(match), instead, because });
      }
    }
  }
  return problems;
}

interface Locked {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** `npm ci` must pass from nothing, on every platform and behind any mirror. */
export function lockFile(project: Project): Problem[] {
  const lock = project.files.get('package-lock.json');
  if (lock === undefined) return [];
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, Locked>> };
  const problems: Problem[] = [];
  const report = (path: string, found: string, instead: string, because: string) =>
    problems.push({ place: `package-lock.json, ${path}`, found, instead, because });
  for (const [path, locked] of Object.entries(packages)) {
    const installed = path.startsWith('node_modules/') && !locked.link;
    if (locked.resolved && /^\w+:/.test(locked.resolved))
      report(
        path,
        `resolved from ${locked.resolved}`,
        'lock with omit-lockfile-registry-resolved=true, as .npmrc says',
        'a host in the lock file is one that others cannot reach',
      );
    if (installed && !locked.integrity)
      report(path, 'no integrity', 'run npm install', 'without a hash anything may be installed');
    for (const name of Object.keys(locked.optionalDependencies ?? {})) {
      if (`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages) continue;
      report(
        path,
        `its optional dependency ${name} is not locked`,
        'delete node_modules and package-lock.json and install again, or pin an older version',
        'npm ci fails on the platform that needs it',
      );
    }
  }
  return problems;
}
