/** `npm start`, as the README has it: the main job starts, shows alerts, and ends well at Ctrl-C. Run by `.ci/run`. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runUntil } from './run-until.ts';

const root = join(import.meta.dirname, '..');

test('npm start shows alerts, and Ctrl-C ends it with 0', async () => {
  const shown = await runUntil('npm', ['start'], { cwd: root, until: /alert/i, within: 60_000 });
  assert.equal(shown.code, 0, shown.stderr);
  assert.doesNotMatch(shown.stderr, /\n\s+at /, 'no stack trace');
});

test('started again, it goes on where it was', async () => {
  const shown = await runUntil('npm', ['start'], { cwd: root, until: /alert/i, within: 60_000 });
  assert.equal(shown.code, 0, shown.stderr);
});
