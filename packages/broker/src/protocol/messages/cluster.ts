/** What there is: the cluster, its one broker, its topics, and the versions that are served. */
import { bool, int8, int16, int32, int64, string, uuid } from '../fields.ts';
import { api, array, nullableStruct } from '../message.ts';

export const Metadata = api(
  3,
  'Metadata',
  [0, 13],
  9,
  {
    topics: array({
      topicId: uuid.since(10),
      name: string.nullable(10),
    }).nullable(1),
    allowAutoTopicCreation: bool.since(4).or(true),
    includeClusterAuthorizedOperations: bool.since(8).until(10),
    includeTopicAuthorizedOperations: bool.since(8),
  },
  {
    throttleTimeMs: int32.since(3),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable(1).since(1).or(null),
    }),
    clusterId: string.nullable(2).since(2).or(null),
    controllerId: int32.since(1).or(-1),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.since(10),
      isInternal: bool.since(1),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.since(7).or(-1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5),
      }),
      topicAuthorizedOperations: int32.since(8).or(-0x80000000),
    }),
    errorCode: int16.since(13),
    clusterAuthorizedOperations: int32.since(8).until(10).or(-0x80000000),
  },
);

export const ApiVersions = api(
  18,
  'ApiVersions',
  [0, 5],
  3,
  {
    clientSoftwareName: string.since(3),
    clientSoftwareVersion: string.since(3),
    clusterId: string.nullable(5).since(5).or(null),
    nodeId: int32.since(5).or(-1),
  },
  {
    errorCode: int16,
    apiKeys: array({
      apiKey: int16,
      minVersion: int16,
      maxVersion: int16,
    }),
    throttleTimeMs: int32.since(1),
    supportedFeatures: array({
      name: string,
      minVersion: int16,
      maxVersion: int16,
    }).tagged(0, 3),
    finalizedFeaturesEpoch: int64.tagged(1, 3).or(-1),
    finalizedFeatures: array({
      name: string,
      maxVersionLevel: int16,
      minVersionLevel: int16,
    }).tagged(2, 3),
    zkMigrationReady: bool.tagged(3, 3),
  },
);

export const DescribeLogDirs = api(
  35,
  'DescribeLogDirs',
  [1, 5],
  2,
  {
    topics: array({
      topic: string,
      partitions: array(int32),
    }).nullable(),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(3),
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: int64,
          offsetLag: int64,
          isFutureKey: bool,
        }),
      }),
      totalBytes: int64.since(4).or(-1),
      usableBytes: int64.since(4).or(-1),
      isCordoned: bool.since(5),
    }),
  },
);

export const DescribeCluster = api(
  60,
  'DescribeCluster',
  [0, 2],
  0,
  {
    includeClusterAuthorizedOperations: bool,
    endpointType: int8.since(1).or(1),
    includeFencedBrokers: bool.since(2),
  },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().or(null),
    endpointType: int8.since(1).or(1),
    clusterId: string,
    controllerId: int32.or(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
      isFenced: bool.since(2),
    }),
    clusterAuthorizedOperations: int32.or(-0x80000000),
  },
);

export const DescribeTopicPartitions = api(
  75,
  'DescribeTopicPartitions',
  [0, 0],
  0,
  {
    topics: array({
      name: string,
    }),
    responsePartitionLimit: int32.or(2000),
    cursor: nullableStruct({
      topicName: string,
      partitionIndex: int32,
    }),
  },
  {
    throttleTimeMs: int32,
    topics: array({
      errorCode: int16,
      name: string.nullable(),
      topicId: uuid,
      isInternal: bool,
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.or(-1),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32).nullable().or(null),
        lastKnownElr: array(int32).nullable().or(null),
        offlineReplicas: array(int32),
      }),
      topicAuthorizedOperations: int32.or(-0x80000000),
    }),
    nextCursor: nullableStruct({
      topicName: string,
      partitionIndex: int32,
    }),
  },
);
