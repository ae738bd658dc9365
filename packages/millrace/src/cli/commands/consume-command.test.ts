import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumedRecord } from '../api.ts';
import { toBase64 } from '../api.ts';
import { formatter, parseFrom } from './consume-command.ts';

const encoded = (text: string) => toBase64(Buffer.from(text));
const record: ConsumedRecord = {
  partition: 2,
  offset: 40,
  timestamp: 1_700_000_000_000,
  key: encoded('dev\n'),
  value: encoded('{"a":1}'),
  headers: [
    ['trace', encoded('x')],
    ['none', null],
  ],
};

function formatted(format: string, of: ConsumedRecord = record): string {
  let text = '';
  formatter(format, 'readings', (bytes) => {
    text += Buffer.from(bytes).toString();
  })(of);
  return text;
}

test('a format names the parts of a record and escapes', () => {
  assert.equal(
    formatted('%t/%p@%o %T %k=%v %h 100%%\\t\\\\\\n'),
    'readings/2@40 1700000000000 dev\n={"a":1} trace=x,none= 100%\t\\\n',
  );
  assert.equal(formatted('%k|%v', { ...record, key: null, value: null }), '|');
});

test('bytes that are no text come out as they are', () => {
  const bytes = Buffer.from([0xff, 0, 0x80]);
  let written: Uint8Array = new Uint8Array();
  formatter('%v', 't', (out) => {
    written = out;
  })({ ...record, value: toBase64(bytes) });
  assert.deepEqual([...written], [0xff, 0, 0x80]);
});

test('a format that is not understood is refused with what there is', () => {
  for (const format of ['%x', 'abc%', '\\q', 'a\\'])
    assert.throws(() => formatter(format, 't'), { code: 'MR_USAGE', message: /there are %v %k/ }, format);
});

test('--from takes names, offsets, times and how long ago', () => {
  const now = Date.UTC(2026, 0, 31, 12);
  assert.equal(parseFrom('earliest', now), 'earliest');
  assert.equal(parseFrom('latest', now), 'latest');
  assert.deepEqual(parseFrom('42', now), { offset: 42 });
  assert.deepEqual(parseFrom('2026-01-31T11:59:00Z', now), { time: now - 60_000 });
  assert.deepEqual(parseFrom('1h30m', now), { time: now - 5_400_000 });
  assert.throws(() => parseFrom('yesterday', now), { code: 'MR_USAGE', message: /--from yesterday is not understood/ });
  assert.throws(() => parseFrom('2026-13-99', now), { code: 'MR_USAGE' });
});
