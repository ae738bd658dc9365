/** `millrace new`: writes a project from the template. Nothing that exists is ever overwritten. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { packageVersion } from '../package-version.ts';
import { template } from '../template.ts';
import { print } from '../terminal.ts';
import { shortPath } from '../user-frames.ts';

export function newCommand(path: string): void {
  const folder = resolve(path);
  const name = basename(folder).toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]{0,99}$/.test(name)) {
    const want = 'use letters, digits, dots, dashes and underscores, beginning with a letter or digit';
    throw new MillraceError('MR_USAGE', [`${JSON.stringify(name)} cannot be the name of a package: ${want}`]);
  }
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new MillraceError('MR_NOT_EMPTY', [shortPath(folder)]);
  const files = Object.entries(template(name, packageVersion()));
  for (const [file, text] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text, { flag: 'wx' });
  }
  print(
    `made ${shortPath(folder)}: ${files.map(([file]) => file).join(', ')}`,
    '',
    'Next:',
    `  cd ${shortPath(folder)}`,
    '  npm install',
    '  npm start       runs src/sensors.ts, the topology',
    '  npm test        tests it in virtual time',
  );
}
