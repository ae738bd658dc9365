import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeOf } from './librdkafka-run.ts';

const blue = '\u001b[36m';
const plain = '\u001b[0m';

test('what the suite prints of a test that passed: its time, its parts, and which of them it left out', () => {
  const printed = `${blue}[0081_admin / 1.0s] ${blue}[ do_test_a:10: PASS (0.11s) ]
[0081_admin / 1.0s] [ do_test_b:20: main queue: PASS (0.11s) ]
[0081_admin / 1.0s] [ do_test_c:30: main queue: SKIP: no authorizer ]
|${blue} 0081_admin                               |     PASSED |   3.138s ${plain}|
`;
  const expected = { state: 'passed', seconds: 3.138, why: '', parts: 2, skippedParts: ['do_test_c: no authorizer'] };
  assert.deepEqual(outcomeOf('0081_admin', printed, '', 9), expected);
});

test('a test that was skipped has the suite’s reason; one that failed has the first complaint', () => {
  const skipped = '| 0142_reauthentication | SKIPPED | 0.000s | Test requires SASL\n';
  assert.deepEqual(outcomeOf('0142_reauthentication', skipped, '', 1).why, 'Test requires SASL');
  const failed = `### Test "0007_autotopic" failed at 0007-autotopic.c:9:main() at Mon: ###
Expected 4 partitions
### Test "<MAIN>" failed at test.c:1950:test_wait_exit() at Mon: ###
3 thread(s) still active
`;
  const { state, why } = outcomeOf('0007_autotopic', failed, 'ended with SIGABRT', 1);
  assert.deepEqual([state, why], ['failed', 'Expected 4 partitions']);
});

test('a test that never came to its end counts as failed, and says how it ended', () => {
  const { state, seconds, why } = outcomeOf('0077_compaction', '', 'stuck', 240);
  assert.deepEqual([state, seconds, why], ['failed', 240, 'stuck']);
});
