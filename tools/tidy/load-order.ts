/**
 * What happens when a module is loaded: no module may be needed by one that it needs itself, and the package's root
 * entry must load where Node's own modules do not exist.
 */
import { isBuiltin } from 'node:module';
import type { Problem } from './problem.ts';
import type { Project } from './project.ts';

/** Imports that leave no trace at run time, and `import()`, which runs after loading, make no cycle. */
export function importCycles(project: Project): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const cycle = [...trail.slice(at), path];
      problems.push({
        place: path,
        found: `import cycle ${cycle.join(' → ')}`,
        instead: 'move what both need into a file of its own, or make one of the imports `import type`',
        because: 'in a cycle one of the files runs before what it imports exists',
      });
      return;
    }
    if (done.has(path)) return;
    for (const { kind, target } of project.modules.get(path)?.imports ?? [])
      if (kind === 'load' && target) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const path of project.modules.keys()) walk(path, []);
  return problems;
}

/** `entry` and all that it loads, now or later, import no Node built-in. */
export function withoutBuiltins(project: Project, entry: string): Problem[] {
  const problems: Problem[] = [];
  const trails = new Map<string, string>([[entry, entry]]);
  for (const [path, trail] of trails) {
    for (const taken of project.modules.get(path)?.imports ?? []) {
      if (taken.kind === 'type') continue;
      if (taken.target && !trails.has(taken.target)) trails.set(taken.target, `${trail} → ${taken.target}`);
      if (!isBuiltin(taken.specifier)) continue;
      problems.push({
        place: `${path}:${taken.line}`,
        found: `${taken.specifier} is loaded by ${trail}`,
        instead: 'do it in engine/ or topic/ and take it as an argument here',
        because: `${entry} is for authoring only: a topology must load in any JavaScript runtime`,
      });
    }
  }
  return problems;
}
