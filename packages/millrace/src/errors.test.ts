import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_TABLE, type ErrorCode, MillraceError, messageOf } from './errors.ts';

test('an error carries its code, its message, whether retrying can help, and the cause', () => {
  const cause = new RangeError('boom');
  const error = new MillraceError('MR_TIMEOUT', ['enrich', 250], cause);
  assert.ok(error instanceof Error);
  assert.deepEqual(
    { name: error.name, code: error.code, retriable: error.retriable, message: error.message, cause: error.cause },
    {
      name: 'MillraceError',
      code: 'MR_TIMEOUT',
      retriable: true,
      message: "'enrich' did not finish within 250 ms",
      cause,
    },
  );
  assert.match(String(error.stack), /errors\.test\.ts/);
  const plain = new MillraceError('MR_NO_SPOUT', ['words']);
  assert.equal(plain.retriable, false);
  assert.ok(!('cause' in plain));
});

test('a message names what arrived, whatever it was', () => {
  const message = <C extends ErrorCode>(...[code, details]: ConstructorParameters<typeof MillraceError<C>>) =>
    new MillraceError(code, details).message;
  assert.match(message('MR_DURATION', [undefined]), /^undefined is not a duration/);
  assert.match(message('MR_PARALLELISM', ['count', Number.NaN]), /parallelism NaN is not a positive integer/);
  assert.match(message('MR_OPTION', ['count', 'maxPending', undefined, 'a number']), /maxPending is undefined, which/);
  assert.match(message('MR_UNKNOWN_STREAM', ["'b'", 'a', 'late', []]), /it emits: none$/);
  assert.match(message('MR_UNKNOWN_STREAM', ["'b'", 'a', 'late', ['x', 'y']]), /it emits: 'x', 'y'$/);
  assert.match(message('MR_LEDGER_WRITE', ['l.db', 1, 'disk full']), /could not take an entry: disk full/);
});

test('a code is a name that scripts can match, and each says whether retrying helps', () => {
  for (const [code, row] of Object.entries(ERROR_TABLE)) {
    assert.match(code, /^MR_[A-Z]+(_[A-Z]+)*$/);
    assert.equal(typeof row.retry, 'boolean');
  }
});

test('what was thrown is told even when it is no error', () => {
  assert.deepEqual([new Error('a'), 'b', undefined, 5n].map(messageOf), ['a', 'b', 'undefined', '5']);
});
