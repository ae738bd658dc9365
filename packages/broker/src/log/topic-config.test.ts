import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  allowedText,
  configWith,
  defaultConfig,
  parseSetting,
  settingNames,
  settingText,
  topicSettings,
} from './topic-config.ts';

const REFERENCE = new URL('../../../../docs/reference/topic-settings.md', import.meta.url);

test('every default is a value that the setting may have, and reads back from its text', () => {
  configWith(defaultConfig, defaultConfig);
  for (const name of settingNames) {
    assert.deepEqual(parseSetting(name, settingText(name, defaultConfig[name])), { [name]: defaultConfig[name] });
  }
});

test('values are read from Kafka’s text as their types, and shown as they were set', () => {
  const cases = [
    ['retention.ms', ' 5 ', 5, '5'],
    ['flush.ms', '9223372036854775807', Number.MAX_SAFE_INTEGER, '9223372036854775807'],
    ['min.cleanable.dirty.ratio', '1e-1', 0.1, '0.1'],
    ['preallocate', 'TRUE', true, 'true'],
    ['cleanup.policy', 'delete, compact', 'delete,compact', 'delete,compact'],
    ['cleanup.policy', 'compact,compact', 'compact', 'compact'],
  ] as const;
  for (const [name, text, value, shown] of cases) {
    assert.deepEqual(parseSetting(name, text), { [name]: value });
    assert.equal(settingText(name, value), shown);
  }
});

test('a value that cannot be is refused with what may be', () => {
  const cases = [
    ['retention.ms', 'x', /retention.ms is "x"; it must be an integer from -1$/],
    ['retention.ms', '-2', /must be an integer from -1$/],
    ['retention.ms', '9223372036854775808', /must be an integer from -1$/],
    ['retention.ms', '1.5', /must be an integer/],
    ['segment.bytes', '2147483648', /must be an integer from 14 to 2147483647/],
    ['min.cleanable.dirty.ratio', '1.1', /must be a number from 0 to 1$/],
    ['min.cleanable.dirty.ratio', '', /must be a number/],
    ['preallocate', 'yes', /must be true or false/],
    ['cleanup.policy', '', /must be 'delete' or 'compact'/],
    ['cleanup.policy', 'remove', /must be 'delete' or 'compact'/],
    ['message.timestamp.type', 'createtime', /must be 'CreateTime' or 'LogAppendTime'/],
    ['retention', '5', /'retention' is not a topic setting; there are cleanup.policy, /],
    ['toString', '5', /'toString' is not a topic setting/],
  ] as const;
  for (const [name, text, message] of cases) {
    assert.throws(() => parseSetting(name, text), { code: 'INVALID_CONFIG', message }, `${name}=${text}`);
  }
});

test('what cannot be kept here is refused with the reason', () => {
  const cases = [
    ['min.insync.replicas', '2', /can only be 1: there is one replica/],
    ['remote.storage.enable', 'true', /can only be false: there is no remote storage/],
  ] as const;
  for (const [name, text, message] of cases) {
    assert.throws(() => parseSetting(name, text), { code: 'INVALID_CONFIG', message }, name);
  }
});

test('a compression that only the broker would apply is taken, and one that does not exist is not', () => {
  assert.deepEqual(parseSetting('compression.type', 'gzip'), { 'compression.type': 'gzip' });
  assert.throws(() => parseSetting('compression.type', 'lzma'), { code: 'INVALID_CONFIG', message: /or 'producer'/ });
});

test('compaction must have time: the least lag is not above the greatest', () => {
  configWith(defaultConfig, { 'min.compaction.lag.ms': 5, 'max.compaction.lag.ms': 5 });
  assert.throws(() => configWith(defaultConfig, { 'min.compaction.lag.ms': 6, 'max.compaction.lag.ms': 5 }), {
    code: 'INVALID_CONFIG',
    message: /min.compaction.lag.ms is 6, above max.compaction.lag.ms, which is 5/,
  });
});

test('the reference page says what the table says', () => {
  const page = readFileSync(REFERENCE, 'utf8');
  for (const name of settingNames) {
    const setting = topicSettings[name];
    const only = setting.fixed === undefined ? '' : ` Anything else is refused: ${setting.fixed}.`;
    const row = `| \`${name}\` | ${settingText(name, setting.default) || "''"} | ${allowedText(setting)} | ${setting.acts ? 'yes' : 'no'} | ${setting.doc}${only} |`;
    assert.ok(page.includes(`\n${row}\n`), `docs/reference/topic-settings.md must have the line\n${row}`);
  }
  assert.equal(page.match(/^\| `/gm)?.length, settingNames.length, 'and no other');
});
