/**
 * `npm start`, as the README has it: the main job starts, shows alerts, lets Kafka clients read them, and ends well at
 * Ctrl-C. Run by `.ci/run`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { runUntil } from './run-until.ts';

const root = join(import.meta.dirname, '..');
const wanted = { cwd: root, until: /alert/i, within: 60_000 };

/** npm's shell dies of the interrupt that the job survives, so npm's own exit code says nothing. */
test('npm start shows alerts, a Kafka client reads them, and at Ctrl-C it finishes what is inside', async () => {
  const meanwhile = { when: /^kafka +(\S+)$/m, run: ([, address]: RegExpExecArray) => readAlert(address ?? '') };
  const { stdout, stderr } = await runUntil('npm', ['start'], { ...wanted, meanwhile });
  assert.match(stderr, /stopped after/);
  assert.doesNotMatch(stdout + stderr, /\n\s+at /, 'no stack trace');
});

test('the same command without npm starts on the data left behind, and exits 0 at Ctrl-C', async () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [, ...args] = scripts.start.split(' ');
  const { code, stderr } = await runUntil(process.execPath, args, wanted);
  assert.equal(code, 0, stderr);
});

async function readAlert(address: string): Promise<void> {
  const consumer = new Consumer({
    clientId: 'start',
    bootstrapBrokers: [address],
    groupId: 'start',
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({ topics: ['alerts'], mode: 'earliest', autocommit: false });
  const { value: message } = await stream[Symbol.asyncIterator]().next();
  assert.ok(message);
  assert.match(message.value, /"device_id":"sensor-\d"/);
  await consumer.close(true);
}
