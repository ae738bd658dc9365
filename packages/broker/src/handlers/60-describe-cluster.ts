import { errorNumber } from '../errors.ts';
import { DescribeCluster } from '../protocol/messages/cluster.ts';
import { handler } from '../server/handler.ts';
import { clusterOperations } from './operations.ts';

/** DescribeCluster, v0–2: the one broker. Controllers (endpoint type 2) cannot be asked for here: KIP-919. */
const BROKERS = 1;

export const describeCluster = handler(
  DescribeCluster,
  ({ endpointType, includeClusterAuthorizedOperations }, { broker, client }) => {
    const { nodeId, clusterId } = broker;
    if (endpointType !== BROKERS) {
      const errorCode = errorNumber('MISMATCHED_ENDPOINT_TYPE');
      return { throttleTimeMs: 0, errorCode, endpointType, clusterId, brokers: [] };
    }
    const { host, port } = client.endpoint;
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      endpointType,
      clusterId,
      controllerId: nodeId,
      brokers: [{ brokerId: nodeId, host, port, isFenced: false }],
      ...(includeClusterAuthorizedOperations ? { clusterAuthorizedOperations: clusterOperations } : {}),
    };
  },
  (_, errorCode, errorMessage) => ({ throttleTimeMs: 0, errorCode, errorMessage, clusterId: '', brokers: [] }),
);
