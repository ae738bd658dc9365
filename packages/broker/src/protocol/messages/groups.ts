/** Consumer groups (the classic protocol) and their offsets. */
import { bool, bytes, int8, int16, int32, int64, string, uuid } from '../fields.ts';
import { api, array, NEVER } from '../message.ts';

export const OffsetCommit = api(
  8,
  'OffsetCommit',
  [2, 10],
  8,
  {
    groupId: string,
    generationIdOrMemberEpoch: int32.or(-1),
    memberId: string,
    groupInstanceId: string.nullable(7).since(7).or(null),
    retentionTimeMs: int64.until(4).or(-1),
    topics: array({
      topicId: uuid.since(10),
      name: string.until(9),
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(6).or(-1),
        committedMetadata: string.nullable(),
      }),
    }),
  },
  {
    throttleTimeMs: int32.since(3),
    topics: array({
      topicId: uuid.since(10),
      name: string.until(9),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);

export const OffsetFetch = api(
  9,
  'OffsetFetch',
  [1, 10],
  6,
  {
    groups: array({
      groupId: string,
      memberId: string.nullable(9).since(9).or(null),
      memberEpoch: int32.since(9).or(-1),
      topics: array({
        topicId: uuid.since(10),
        name: string.until(9),
        partitionIndexes: array(int32),
      }).nullable(),
    }).since(8),
    groupId: string.until(7),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    })
      .nullable(2)
      .until(7),
    requireStable: bool.since(7),
  },
  {
    throttleTimeMs: int32.since(3),
    groups: array({
      groupId: string,
      topics: array({
        topicId: uuid.since(10),
        name: string.until(9),
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.or(-1),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16,
    }).since(8),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(5).or(-1),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).until(7),
    errorCode: int16.since(2).until(7),
  },
);

export const FindCoordinator = api(
  10,
  'FindCoordinator',
  [0, 6],
  3,
  {
    key: string.until(3),
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
  {
    throttleTimeMs: int32.since(1),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable(),
    }).since(4),
    errorCode: int16.until(3),
    errorMessage: string.nullable(1).since(1).until(3),
    nodeId: int32.until(3),
    host: string.until(3),
    port: int32.until(3),
  },
);

export const JoinGroup = api(
  11,
  'JoinGroup',
  [0, 9],
  6,
  {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.since(1).or(-1),
    memberId: string,
    groupInstanceId: string.nullable(5).since(5).or(null),
    protocolType: string,
    protocols: array({
      name: string,
      metadata: bytes,
    }),
    reason: string.nullable(8).since(8).or(null),
  },
  {
    throttleTimeMs: int32.since(2),
    errorCode: int16,
    generationId: int32.or(-1),
    protocolType: string.nullable(7).since(7).or(null),
    protocolName: string.nullable(7),
    leader: string,
    skipAssignment: bool.since(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable(5).since(5).or(null),
      metadata: bytes,
    }),
  },
);

export const Heartbeat = api(
  12,
  'Heartbeat',
  [0, 4],
  4,
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable(3).since(3).or(null),
  },
  {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
  },
);

export const LeaveGroup = api(
  13,
  'LeaveGroup',
  [0, 5],
  4,
  {
    groupId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable().or(null),
      reason: string.nullable(5).since(5).or(null),
    }).since(3),
    memberId: string.until(2),
  },
  {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable(),
      errorCode: int16,
    }).since(3),
  },
);

export const SyncGroup = api(
  14,
  'SyncGroup',
  [0, 5],
  4,
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable(3).since(3).or(null),
    protocolType: string.nullable(5).since(5).or(null),
    protocolName: string.nullable(5).since(5).or(null),
    assignments: array({
      memberId: string,
      assignment: bytes,
    }),
  },
  {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    protocolType: string.nullable(5).since(5).or(null),
    protocolName: string.nullable(5).since(5).or(null),
    assignment: bytes,
  },
);

export const DescribeGroups = api(
  15,
  'DescribeGroups',
  [0, 6],
  5,
  {
    groups: array(string),
    includeAuthorizedOperations: bool.since(3),
  },
  {
    throttleTimeMs: int32.since(1),
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable(6).since(6).or(null),
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array({
        memberId: string,
        groupInstanceId: string.nullable(4).since(4).or(null),
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.since(3).or(-0x80000000),
    }),
  },
);

export const ListGroups = api(
  16,
  'ListGroups',
  [0, 5],
  3,
  {
    statesFilter: array(string).since(4),
    typesFilter: array(string).since(5),
  },
  {
    throttleTimeMs: int32.since(1),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.since(4),
      groupType: string.since(5),
    }),
  },
);

export const DeleteGroups = api(
  42,
  'DeleteGroups',
  [0, 3],
  2,
  {
    groupsNames: array(string),
  },
  {
    throttleTimeMs: int32,
    results: array({
      groupId: string,
      errorCode: int16,
      errorMessage: string.nullable(3).since(3).or(null),
    }),
  },
);

export const OffsetDelete = api(
  47,
  'OffsetDelete',
  [0, 0],
  NEVER,
  {
    groupId: string,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
      }),
    }),
  },
  {
    errorCode: int16,
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
