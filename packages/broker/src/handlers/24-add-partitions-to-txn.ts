import { codeOf, errorNumber, type LogErrorCode } from '../errors.ts';
import { AddPartitionsToTxn } from '../protocol/messages/transactions.ts';
import { type Call, handler } from '../server/handler.ts';
import { knownSince } from './transaction-errors.ts';

/**
 * AddPartitionsToTxn, v0–5. v4 and v5, which brokers use among themselves and some clients too, name many transactions,
 * and may ask only whether the partitions are in them. Nothing is left out.
 *
 * A transaction's partitions are added together or not at all: when one does not exist, the others are told that they
 * were not attempted.
 */
interface Topic {
  readonly name: string;
  readonly partitions: readonly number[];
}

interface Wanted {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly verifyOnly: boolean;
  readonly topics: readonly Topic[];
}

export const addPartitionsToTxn = handler(
  AddPartitionsToTxn,
  async (request, call) => {
    if (call.version >= 4) {
      const resultsByTransaction = await Promise.all(
        request.transactions.map(async (wanted) => {
          return { transactionalId: wanted.transactionalId, topicResults: await resultsOf(wanted, call) };
        }),
      );
      return { throttleTimeMs: 0, errorCode: 0, resultsByTransaction };
    }
    const wanted = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    };
    return { throttleTimeMs: 0, resultsByTopicV3AndBelow: await resultsOf(wanted, call) };
  },
  (request, errorCode) => ({
    throttleTimeMs: 0,
    errorCode,
    resultsByTransaction: [],
    resultsByTopicV3AndBelow: answers(request.v3AndBelowTopics, () => errorCode),
  }),
);

async function resultsOf(wanted: Wanted, call: Call) {
  const { transactionalId, producerId, producerEpoch, topics } = wanted;
  const { log, transactions } = call.broker;
  const missing = (topic: string, partition: number) => log.catalog.find(topic)?.partitions[partition] === undefined;
  if (topics.some(({ name, partitions }) => partitions.some((partition) => missing(name, partition)))) {
    return answers(topics, (topic, partition) =>
      errorNumber(missing(topic, partition) ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'OPERATION_NOT_ATTEMPTED'),
    );
  }
  if (wanted.verifyOnly) {
    return answers(topics, (topic, partition) =>
      errorNumber(verifiedAs(transactions.verify(transactionalId, producerId, producerEpoch, topic, partition))),
    );
  }
  const added = new Map<string, Set<number>>();
  for (const { name, partitions } of topics) added.set(name, new Set([...(added.get(name) ?? []), ...partitions]));
  const errorCode = await transactions
    .addPartitions(transactionalId, { producerId, producerEpoch }, added)
    .catch(knownSince(2, call.version))
    .then(
      () => 0,
      (error: unknown) => errorNumber(codeOf(error)),
    );
  return answers(topics, () => errorCode);
}

/** Kafka's names for the outcome where only that is asked. */
function verifiedAs(code: LogErrorCode | undefined): LogErrorCode | undefined {
  if (code === 'INVALID_PRODUCER_EPOCH') return 'PRODUCER_FENCED';
  return code === 'INVALID_TXN_STATE' ? 'TRANSACTION_ABORTABLE' : code;
}

function answers(topics: readonly Topic[], errorCodeOf: (topic: string, partition: number) => number) {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorCodeOf(name, partitionIndex),
    })),
  }));
}
