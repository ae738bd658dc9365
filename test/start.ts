/** `npm start`, as the README has it: the main job starts, shows alerts, and ends well at Ctrl-C. Run by `.ci/run`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runUntil } from './run-until.ts';

const root = join(import.meta.dirname, '..');
const wanted = { cwd: root, until: /alert/i, within: 60_000 };

/** npm's shell dies of the interrupt that the job survives, so npm's own exit code says nothing. */
test('npm start shows alerts, and at Ctrl-C finishes what is inside', async () => {
  const { stdout, stderr } = await runUntil('npm', ['start'], wanted);
  assert.match(stderr, /stopped after/);
  assert.doesNotMatch(stdout + stderr, /\n\s+at /, 'no stack trace');
});

test('the same command without npm starts on the data left behind, and exits 0 at Ctrl-C', async () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [, ...args] = scripts.start.split(' ');
  const { code, stderr } = await runUntil(process.execPath, args, wanted);
  assert.equal(code, 0, stderr);
});
