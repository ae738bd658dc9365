/**
 * The one table of the broker's errors. A code is Kafka's own error name, with the number that stands for it on the
 * wire; the last ones, which Kafka does not have, concern the data directory and the port. The second value says whether the
 * same call may succeed later without anybody repairing anything.
 */
const table = {
  UNKNOWN_SERVER_ERROR: [-1, false],
  OFFSET_OUT_OF_RANGE: [1, false],
  CORRUPT_MESSAGE: [2, false],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true],
  LEADER_NOT_AVAILABLE: [5, true],
  NOT_LEADER_OR_FOLLOWER: [6, true],
  REQUEST_TIMED_OUT: [7, true],
  MESSAGE_TOO_LARGE: [10, false],
  OFFSET_METADATA_TOO_LARGE: [12, false],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true],
  COORDINATOR_NOT_AVAILABLE: [15, true],
  NOT_COORDINATOR: [16, true],
  INVALID_TOPIC_EXCEPTION: [17, false],
  RECORD_LIST_TOO_LARGE: [18, false],
  NOT_ENOUGH_REPLICAS: [19, true],
  INVALID_REQUIRED_ACKS: [21, false],
  ILLEGAL_GENERATION: [22, false],
  INCONSISTENT_GROUP_PROTOCOL: [23, false],
  INVALID_GROUP_ID: [24, false],
  UNKNOWN_MEMBER_ID: [25, false],
  INVALID_SESSION_TIMEOUT: [26, false],
  REBALANCE_IN_PROGRESS: [27, false],
  TOPIC_AUTHORIZATION_FAILED: [29, false],
  GROUP_AUTHORIZATION_FAILED: [30, false],
  CLUSTER_AUTHORIZATION_FAILED: [31, false],
  INVALID_TIMESTAMP: [32, false],
  UNSUPPORTED_VERSION: [35, false],
  TOPIC_ALREADY_EXISTS: [36, false],
  INVALID_PARTITIONS: [37, false],
  INVALID_REPLICATION_FACTOR: [38, false],
  INVALID_REPLICA_ASSIGNMENT: [39, false],
  INVALID_CONFIG: [40, false],
  INVALID_REQUEST: [42, false],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false],
  POLICY_VIOLATION: [44, false],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false],
  INVALID_PRODUCER_EPOCH: [47, false],
  INVALID_TXN_STATE: [48, false],
  INVALID_PRODUCER_ID_MAPPING: [49, false],
  INVALID_TRANSACTION_TIMEOUT: [50, false],
  CONCURRENT_TRANSACTIONS: [51, true],
  TRANSACTION_COORDINATOR_FENCED: [52, false],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, false],
  SECURITY_DISABLED: [54, false],
  OPERATION_NOT_ATTEMPTED: [55, false],
  KAFKA_STORAGE_ERROR: [56, true],
  UNKNOWN_PRODUCER_ID: [59, false],
  NON_EMPTY_GROUP: [68, false],
  GROUP_ID_NOT_FOUND: [69, false],
  FETCH_SESSION_ID_NOT_FOUND: [70, true],
  INVALID_FETCH_SESSION_EPOCH: [71, true],
  FENCED_LEADER_EPOCH: [74, true],
  UNKNOWN_LEADER_EPOCH: [75, true],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false],
  OFFSET_NOT_AVAILABLE: [78, true],
  MEMBER_ID_REQUIRED: [79, false],
  GROUP_MAX_SIZE_REACHED: [81, false],
  FENCED_INSTANCE_ID: [82, false],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false],
  INVALID_RECORD: [87, false],
  UNSTABLE_OFFSET_COMMIT: [88, true],
  PRODUCER_FENCED: [90, false],
  UNKNOWN_TOPIC_ID: [100, true],
  INCONSISTENT_TOPIC_ID: [103, true],
  TRANSACTIONAL_ID_NOT_FOUND: [105, false],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, true],
  MISMATCHED_ENDPOINT_TYPE: [114, false],
  TRANSACTION_ABORTABLE: [120, false],
  DATA_DIRECTORY_LOCKED: [-1, true],
  CANNOT_LISTEN: [-1, true],
  LOG_CLOSED: [56, false],
} as const;

export type LogErrorCode = keyof typeof table;

export class LogError extends Error {
  readonly code: LogErrorCode;
  readonly retriable: boolean;
  /** Of a batch that was refused for some of its records: which, from 0. The others may be sent again. */
  readonly records: readonly number[] | undefined;

  constructor(
    code: LogErrorCode,
    message: string,
    options: { cause?: unknown; retriable?: boolean; records?: readonly number[] | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LogError';
    this.code = code;
    this.retriable = options.retriable ?? table[code][1];
    this.records = options.records;
  }
}

/** The error's number on the wire; 0 is none. */
export function errorNumber(code: LogErrorCode | undefined): number {
  return code === undefined ? 0 : table[code][0];
}

/** What any failure is called on the wire: a bug of ours is UNKNOWN_SERVER_ERROR. */
export function codeOf(error: unknown): LogErrorCode {
  return error instanceof LogError ? error.code : 'UNKNOWN_SERVER_ERROR';
}
