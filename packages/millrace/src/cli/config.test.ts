import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfig, readConfigPairs } from './config.ts';

test('without --config and --set there is no config', () => {
  assert.equal(readConfig(), undefined);
});

test('--set takes dotted paths, JSON values and plain text, on top of the file, in order', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'c.json');
  writeFileSync(file, '{"limits":{"z":2,"n":5},"name":"a"}');
  const sets = [
    'limits.z=3',
    'limits.deep.er=[1,2]',
    'name=Ada Lovelace',
    'on=true',
    'text="7"',
    'limits.z=4',
    'e=a=b',
  ];
  assert.deepEqual(readConfig(file, sets), {
    limits: { z: 4, n: 5, deep: { er: [1, 2] } },
    name: 'Ada Lovelace',
    on: true,
    text: '7',
    e: 'a=b',
  });
});

test('what cannot be set is refused with what to write', () => {
  const refused = (sets: string[], why: RegExp) => assert.throws(() => readConfig(undefined, sets), why);
  refused(['window'], /--set window.+write --set key=value/);
  refused(['=1'], /write --set key=value/);
  refused(['a..b=1'], /every part of the key must be a name/);
  refused(['__proto__.polluted=1'], /every part/);
  refused(['a=1', 'a.b=2'], /'a' is not an object/);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.throws(() => readConfig('/nowhere/c.json'), { code: 'MR_CONFIG', message: /nowhere\/c\.json/ });
});

test("settings keep the dots of Kafka's names", () => {
  assert.deepEqual(readConfigPairs(['retention.ms=1000', 'cleanup.policy=delete']), {
    'retention.ms': 1000,
    'cleanup.policy': 'delete',
  });
  assert.throws(() => readConfigPairs(['retention.ms']), /write --set name=value/);
});
