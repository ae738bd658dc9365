import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transaction } from './transaction.ts';
import { bytesOf, idOf, keyOf, transactionOf } from './transaction-record.ts';

const transaction: Transaction = {
  transactionalId: 'zwölf',
  producerId: 2 ** 40 + 3,
  previousProducerId: 7,
  producerEpoch: 258,
  lastProducerEpoch: 257,
  timeoutMs: 60_000,
  state: 'PrepareCommit',
  partitions: new Map([
    ['t', new Set([0, 258])],
    ['long'.repeat(50), new Set([1])],
  ]),
  startedAt: 1_700_000_000_001,
  updatedAt: 1_700_000_000_002,
};

test('a transaction is read as it was written, in every state', () => {
  for (const state of [
    'Empty',
    'Ongoing',
    'PrepareCommit',
    'PrepareAbort',
    'CompleteCommit',
    'CompleteAbort',
  ] as const) {
    const partitions = state === 'Empty' ? new Map<string, Set<number>>() : transaction.partitions;
    const one = { ...transaction, state, partitions, startedAt: state === 'Empty' ? -1 : transaction.startedAt };
    assert.equal(idOf(keyOf(one.transactionalId)), one.transactionalId);
    assert.deepEqual(transactionOf(one.transactionalId, bytesOf(one)), one);
  }
});

test("the bytes are Kafka's", () => {
  assert.equal(keyOf('a').toString('hex'), '0000000161');
  const short = { ...transaction, partitions: new Map([['t', new Set([5])]]) };
  const parts = [
    '0001', // version
    '0000010000000003', // producer id
    '0102', // epoch
    '0000ea60', // time-out
    '02', // PrepareCommit
    ['02', '0274', '02', '00000005', '00'].join(''), // one topic: name, one partition, no tags
    '0000018bcfe56802', // updated
    '0000018bcfe56801', // started
    '02', // two tags
    '00080000000000000007', // previous producer id
    'e807020101', // ours: the last epoch
  ];
  assert.equal(bytesOf(short).toString('hex'), parts.join(''));
});

test('another version is refused and named', () => {
  const value = bytesOf(transaction);
  value.writeInt16BE(9, 0);
  assert.throws(() => transactionOf('a', value), { code: 'CORRUPT_MESSAGE', message: /value of version 9/ });
});
