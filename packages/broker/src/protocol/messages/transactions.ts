/** Producer ids and transactions. */
import { bool, int8, int16, int32, int64, string } from '../fields.ts';
import { api, array } from '../message.ts';

export const InitProducerId = api(
  22,
  'InitProducerId',
  [0, 5],
  2,
  {
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.since(3).or(-1),
    producerEpoch: int16.since(3).or(-1),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.or(-1),
    producerEpoch: int16,
  },
);

export const AddPartitionsToTxn = api(
  24,
  'AddPartitionsToTxn',
  [0, 5],
  3,
  {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: bool,
      topics: array({
        name: string,
        partitions: array(int32),
      }),
    }).since(4),
    v3AndBelowTransactionalId: string.until(3),
    v3AndBelowProducerId: int64.until(3),
    v3AndBelowProducerEpoch: int16.until(3),
    v3AndBelowTopics: array({
      name: string,
      partitions: array(int32),
    }).until(3),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(4),
    resultsByTransaction: array({
      transactionalId: string,
      topicResults: array({
        name: string,
        resultsByPartition: array({
          partitionIndex: int32,
          partitionErrorCode: int16,
        }),
      }),
    }).since(4),
    resultsByTopicV3AndBelow: array({
      name: string,
      resultsByPartition: array({
        partitionIndex: int32,
        partitionErrorCode: int16,
      }),
    }).until(3),
  },
);

export const AddOffsetsToTxn = api(
  25,
  'AddOffsetsToTxn',
  [0, 4],
  3,
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
  {
    throttleTimeMs: int32,
    errorCode: int16,
  },
);

export const EndTxn = api(
  26,
  'EndTxn',
  [0, 4],
  3,
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
  {
    throttleTimeMs: int32,
    errorCode: int16,
  },
);

export const WriteTxnMarkers = api(
  27,
  'WriteTxnMarkers',
  [1, 2],
  1,
  {
    markers: array({
      producerId: int64,
      producerEpoch: int16,
      transactionResult: bool,
      topics: array({
        name: string,
        partitionIndexes: array(int32),
      }),
      coordinatorEpoch: int32,
      transactionVersion: int8.since(2),
    }),
  },
  {
    markers: array({
      producerId: int64,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          errorCode: int16,
        }),
      }),
    }),
  },
);

export const TxnOffsetCommit = api(
  28,
  'TxnOffsetCommit',
  [0, 4],
  3,
  {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationId: int32.since(3).or(-1),
    memberId: string.since(3),
    groupInstanceId: string.nullable(3).since(3).or(null),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(2).or(-1),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);

export const DescribeProducers = api(
  61,
  'DescribeProducers',
  [0, 0],
  0,
  {
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }),
  },
  {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable().or(null),
        activeProducers: array({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: int32.or(-1),
          lastTimestamp: int64.or(-1),
          coordinatorEpoch: int32,
          currentTxnStartOffset: int64.or(-1),
        }),
      }),
    }),
  },
);

export const DescribeTransactions = api(
  65,
  'DescribeTransactions',
  [0, 0],
  0,
  {
    transactionalIds: array(string),
  },
  {
    throttleTimeMs: int32,
    transactionStates: array({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: array({
        topic: string,
        partitions: array(int32),
      }),
    }),
  },
);

export const ListTransactions = api(
  66,
  'ListTransactions',
  [0, 1],
  0,
  {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.since(1).or(-1),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
);
