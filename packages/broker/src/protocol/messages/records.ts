/** Records in and out: Produce, Fetch, and looking up offsets. */
import { bytes, int8, int16, int32, int64, string, uuid } from '../fields.ts';
import { api, array, struct } from '../message.ts';

export const Produce = api(
  0,
  'Produce',
  [3, 13],
  9,
  {
    transactionalId: string.nullable().or(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      topicId: uuid.since(13),
      name: string.until(12),
      partitionData: array({
        index: int32,
        records: bytes.nullable().or(null),
      }),
    }),
  },
  {
    responses: array({
      topicId: uuid.since(13),
      name: string.until(12),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: int64.or(-1),
        logStartOffset: int64.since(5).or(-1),
        recordErrors: array({
          batchIndex: int32,
          batchIndexErrorMessage: string.nullable().or(null),
        }).since(8),
        errorMessage: string.nullable(8).since(8).or(null),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).tagged(0, 10),
      }),
    }),
    throttleTimeMs: int32,
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
    }).tagged(0, 10),
  },
);

export const Fetch = api(
  1,
  'Fetch',
  [4, 18],
  12,
  {
    replicaId: int32.until(14).or(-1),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.or(0x7fffffff),
    isolationLevel: int8,
    sessionId: int32.since(7),
    sessionEpoch: int32.since(7).or(-1),
    topics: array({
      topicId: uuid.since(13),
      topic: string.until(12),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.since(9).or(-1),
        fetchOffset: int64,
        lastFetchedEpoch: int32.since(12).or(-1),
        logStartOffset: int64.since(5).or(-1),
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.tagged(0, 17),
        highWatermark: int64.tagged(1, 18).or(Number.MAX_SAFE_INTEGER),
      }),
    }),
    forgottenTopicsData: array({
      topicId: uuid.since(13),
      topic: string.until(12),
      partitions: array(int32),
    }).since(7),
    rackId: string.since(11),
    clusterId: string.nullable(12).tagged(0, 12).or(null),
    replicaState: struct({
      replicaId: int32.or(-1),
      replicaEpoch: int64.or(-1),
    }).tagged(1, 15),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(7),
    sessionId: int32.since(7),
    responses: array({
      topicId: uuid.since(13),
      topic: string.until(12),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: int64.or(-1),
        logStartOffset: int64.since(5).or(-1),
        abortedTransactions: array({
          producerId: int64,
          firstOffset: int64,
        }).nullable(),
        preferredReadReplica: int32.since(11).or(-1),
        records: bytes.nullable().or(null),
        divergingEpoch: struct({
          epoch: int32.or(-1),
          endOffset: int64.or(-1),
        }).tagged(0, 12),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).tagged(1, 12),
        snapshotId: struct({
          endOffset: int64.or(-1),
          epoch: int32.or(-1),
        }).tagged(2, 12),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
    }).tagged(0, 16),
  },
);

export const ListOffsets = api(
  2,
  'ListOffsets',
  [1, 11],
  6,
  {
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).or(-1),
        timestamp: int64,
      }),
    }),
    timeoutMs: int32.since(10),
  },
  {
    throttleTimeMs: int32.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: int64.or(-1),
        offset: int64.or(-1),
        leaderEpoch: int32.since(4).or(-1),
      }),
    }),
  },
);

export const OffsetForLeaderEpoch = api(
  23,
  'OffsetForLeaderEpoch',
  [2, 4],
  4,
  {
    replicaId: int32.since(3).or(-2),
    topics: array({
      topic: string,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.or(-1),
        leaderEpoch: int32,
      }),
    }),
  },
  {
    throttleTimeMs: int32,
    topics: array({
      topic: string,
      partitions: array({
        errorCode: int16,
        partition: int32,
        leaderEpoch: int32.or(-1),
        endOffset: int64.or(-1),
      }),
    }),
  },
);
