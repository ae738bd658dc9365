import { codeOf, errorNumber, LogError, type LogErrorCode } from '../errors.ts';
import { OFFSETS_TOPIC, TRANSACTIONS_TOPIC } from '../log/data-directory.ts';
import { unknownPartition } from '../log/partition-errors.ts';
import { codecOf, HEADER_BYTES, isTransactional, producerOf } from '../log/record-batch.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { Produce } from '../protocol/messages/records.ts';
import { type Call, handler } from '../server/handler.ts';
import { topicOf } from './partition-of.ts';

/**
 * Produce, v3–13: one record batch for each of many partitions, appended as it came. With acks=all the answer waits
 * until the batches are durable (law 12), with acks=1 until they are written, and with acks=0 there is none: then an
 * error closes the connection, which is all that tells such a producer.
 *
 * Left out: v0–2, whose message formats Kafka 4 does not take either, and the request's time-out, since nothing is waited
 * for but this machine's disk.
 */
type Request = ReadOf<typeof Produce.request.shape>;
type Response = WriteOf<typeof Produce.response.shape>;
type TopicRequest = Request['topicData'][number];
type PartitionRequest = TopicRequest['partitionData'][number];
type PartitionResponse = NonNullable<Response['responses'][number]>['partitionResponses'][number];

const INTERNAL: ReadonlySet<string> = new Set([OFFSETS_TOPIC, TRANSACTIONS_TOPIC]);
const ALL = -1;
const ZSTD = 4;
const ZSTD_SINCE = 7;
const ABORTABLE_SINCE = 11;

export const produce = handler(
  Produce,
  (request, call) => {
    if (!expectTransactionalId(request, call)) return undefined;
    const waits: Promise<void>[] = [];
    const responses = request.topicData.map((topic) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map((partition) => append(request, topic, partition, waits, call)),
    }));
    if (request.acks === 0) {
      dropOnError(responses, call);
      return undefined;
    }
    const response = { responses, throttleTimeMs: 0 };
    return waits.length === 0 ? response : Promise.all(waits).then(() => response);
  },
  ({ topicData }, errorCode, errorMessage) => ({
    responses: topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, errorMessage, baseOffset: -1 })),
    })),
    throttleTimeMs: 0,
  }),
);

/** Its answer, which is complete when what it adds to `waits` has resolved. */
function append(
  request: Request,
  topic: TopicRequest,
  { index, records }: PartitionRequest,
  waits: Promise<void>[],
  call: Call,
): PartitionResponse & { errorCode: number } {
  const answer = {
    index,
    errorCode: 0,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [] as { batchIndex: number }[],
    errorMessage: null as string | null,
  };
  const fail = (error: unknown) => {
    const code = codeOf(error);
    if (code === 'UNKNOWN_SERVER_ERROR') call.broker.say(`Produce failed: ${String(error)}`);
    answer.errorCode = errorNumber(code);
    if (error instanceof LogError) {
      answer.errorMessage = error.message;
      answer.recordErrors = error.records?.map((batchIndex) => ({ batchIndex })) ?? [];
    }
    answer.baseOffset = -1;
  };
  try {
    const { acks } = request;
    if (INTERNAL.has(topic.name)) {
      throw new LogError('INVALID_TOPIC_EXCEPTION', `'${topic.name}' is the broker's own: nobody else writes to it`);
    }
    const { name, partitions } = topicOf(call.broker.log, { topic: topic.name, topicId: topic.topicId });
    const partition = partitions[index];
    if (partition === undefined) throw unknownPartition(name, index);
    if (records === null) throw new LogError('INVALID_RECORD', 'the request has no records for it');
    if (call.version < ZSTD_SINCE && records.length >= HEADER_BYTES && codecOf(records, 0) === ZSTD) {
      throw new LogError('UNSUPPORTED_COMPRESSION_TYPE', `zstd is for Produce from version ${ZSTD_SINCE} on`);
    }
    if (acks !== ALL && acks !== 0 && acks !== 1) {
      throw new LogError('INVALID_REQUIRED_ACKS', `acks is ${acks}; it must be -1 (all), 0 or 1`);
    }
    expectInTransaction(request, name, index, records, call);
    const appended = partition.appendFromClient(records);
    answer.baseOffset = appended.baseOffset;
    answer.logAppendTimeMs = appended.logAppendTime;
    answer.logStartOffset = partition.start;
    if (acks !== ALL) return answer;
    waits.push(
      new Promise((resolve) => {
        partition.whenReadable(appended.end, (error) => {
          if (error !== undefined) fail(error);
          resolve();
        });
      }),
    );
  } catch (error) {
    fail(error);
  }
  return answer;
}

/**
 * Without one nobody could say to which transaction a batch belongs: the whole request is refused. False when that is
 * said by closing the connection.
 */
function expectTransactionalId({ transactionalId, topicData, acks }: Request, { client }: Call): boolean {
  const isNeeded = topicData.some(({ partitionData }) =>
    partitionData.some(({ records }) => records !== null && isOfTransaction(records)),
  );
  if (transactionalId !== null || !isNeeded) return true;
  const what = 'a transactional batch came in a request without a transactional id';
  if (acks !== 0) throw new LogError('TRANSACTIONAL_ID_AUTHORIZATION_FAILED', what);
  client.drop(`Produce with acks=0 failed: ${what}`);
  return false;
}

function isOfTransaction(batch: Buffer): boolean {
  return batch.length >= HEADER_BYTES && isTransactional(batch, 0);
}

/** A batch of a transaction goes only where the coordinator knows that the transaction is. */
function expectInTransaction(
  { transactionalId }: Request,
  topic: string,
  partition: number,
  batch: Buffer,
  { broker, version }: Call,
): void {
  if (!isOfTransaction(batch)) return;
  const producer = producerOf(batch, 0);
  if (transactionalId === null || producer === undefined) {
    throw new LogError('INVALID_RECORD', 'a transactional batch came without a producer id');
  }
  const { producerId, producerEpoch } = producer;
  const refused = broker.transactions.verify(transactionalId, producerId, producerEpoch, topic, partition);
  if (refused === undefined) return;
  throw new LogError(
    knownToProducers(refused, version),
    `transactional id '${transactionalId}' has no open transaction with ${topic}-${partition}: ${refused}`,
  );
}

/**
 * Producers take CONCURRENT_TRANSACTIONS for an end here, and NOT_ENOUGH_REPLICAS for what it is: worth retrying. Newer ones know
 * that the transaction alone is lost, and not they themselves (KIP-890).
 */
function knownToProducers(refused: LogErrorCode, version: number): LogErrorCode {
  if (refused === 'CONCURRENT_TRANSACTIONS') return 'NOT_ENOUGH_REPLICAS';
  return refused === 'INVALID_TXN_STATE' && version >= ABORTABLE_SINCE ? 'TRANSACTION_ABORTABLE' : refused;
}

function dropOnError(responses: Response['responses'], { client }: Call): void {
  for (const { name, partitionResponses } of responses) {
    for (const { index, errorCode, errorMessage } of partitionResponses) {
      if (errorCode === 0) continue;
      client.drop(`Produce with acks=0 to ${name}-${index} failed (error ${errorCode}): ${errorMessage}`);
      return;
    }
  }
}
