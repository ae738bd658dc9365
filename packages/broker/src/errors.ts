/**
 * The one table of the broker's errors. A code is Kafka's own error name, so that the protocol can answer with it;
 * the few below that Kafka does not have concern the data directory itself. `retriable` says whether the same call
 * may succeed later without anybody repairing anything.
 */
const table = {
  UNKNOWN_TOPIC_OR_PARTITION: true,
  TOPIC_ALREADY_EXISTS: false,
  INVALID_TOPIC_EXCEPTION: false,
  INVALID_PARTITIONS: false,
  INVALID_CONFIG: false,
  INVALID_REQUEST: false,
  INVALID_RECORD: false,
  INVALID_GROUP_ID: false,
  OFFSET_OUT_OF_RANGE: false,
  MESSAGE_TOO_LARGE: false,
  CORRUPT_MESSAGE: false,
  UNSUPPORTED_COMPRESSION_TYPE: false,
  INVALID_PRODUCER_EPOCH: false,
  INVALID_TXN_STATE: false,
  INVALID_PRODUCER_ID_MAPPING: false,
  INVALID_TRANSACTION_TIMEOUT: false,
  CONCURRENT_TRANSACTIONS: true,
  PRODUCER_FENCED: false,
  TRANSACTIONAL_ID_NOT_FOUND: false,
  OPERATION_NOT_ATTEMPTED: false,
  COORDINATOR_NOT_AVAILABLE: true,
  NOT_ENOUGH_REPLICAS: true,
  KAFKA_STORAGE_ERROR: true,
  DATA_DIRECTORY_LOCKED: true,
  LOG_CLOSED: false,
} as const;

export type LogErrorCode = keyof typeof table;

export class LogError extends Error {
  readonly code: LogErrorCode;
  readonly retriable: boolean;

  constructor(code: LogErrorCode, message: string, options: { cause?: unknown; retriable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LogError';
    this.code = code;
    this.retriable = options.retriable ?? table[code];
  }
}
