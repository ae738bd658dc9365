/**
 * What may be done with a topic, a group or the cluster, as bits by the numbers of Kafka's AclOperation. Without an
 * authorizer that is everything, and a client that asks is told so.
 */
const READ = 1 << 3;
const WRITE = 1 << 4;
const CREATE = 1 << 5;
const DELETE = 1 << 6;
const ALTER = 1 << 7;
const DESCRIBE = 1 << 8;
const CLUSTER_ACTION = 1 << 9;
const DESCRIBE_CONFIGS = 1 << 10;
const ALTER_CONFIGS = 1 << 11;
const IDEMPOTENT_WRITE = 1 << 12;

const configs = DESCRIBE_CONFIGS | ALTER_CONFIGS;

export const topicOperations = READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | configs;
export const groupOperations = READ | DELETE | DESCRIBE | configs;
export const clusterOperations = CREATE | ALTER | DESCRIBE | CLUSTER_ACTION | IDEMPOTENT_WRITE | configs;
