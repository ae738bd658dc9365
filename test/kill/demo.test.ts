/** The demo as a person runs it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Child } from './child.ts';

test('the demo kills its job, shows that nothing is lost or doubled, and how long it was away', async () => {
  const demo = Child.node('the demo', [join(import.meta.dirname, 'demo.ts'), '--kills', '2', '--every', '1500ms']);
  const { code } = await demo.ended;
  assert.equal(code, 0, demo.output);
  const [, sent, seen] = /^2 kills, (\d+) readings sent, (\d+) seen: 0 lost, 0 doubled$/m.exec(demo.output) ?? [];
  assert.ok(Number(sent) > 1000 && seen === sent, demo.output);
  assert.match(demo.output, /^\d+ alerts, \d+ rows in SQLite: 0 lost, 0 doubled$/m);
  assert.match(demo.output, /^recovery: \d\.\d\d s from kill -9/m);
  assert.equal(demo.output.match(/^kill -9 \d+/gm)?.length, 2);
});
