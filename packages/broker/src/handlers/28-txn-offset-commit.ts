import { errorNumber, LogError, type LogErrorCode } from '../errors.ts';
import type { OffsetToCommit } from '../groups/requests.ts';
import { OFFSETS_TOPIC } from '../log/data-directory.ts';
import { TxnOffsetCommit } from '../protocol/messages/transactions.ts';
import { handler } from '../server/handler.ts';

/**
 * TxnOffsetCommit, v0–4. Left out: v5, which adds the group to the transaction by itself (KIP-890), a feature that is
 * not advertised, and v6, which names topics by id.
 *
 * The transaction must hold the group's offsets (AddOffsetsToTxn), as Kafka has it since 3.8. A topic or partition that
 * does not exist is refused by itself; what the transaction or the group refuses is refused for all partitions.
 */
const OLD_LOADING_UNTIL = 1;
const ABORTABLE_SINCE = 4;

export const txnOffsetCommit = handler(
  TxnOffsetCommit,
  async (request, { version, broker }) => {
    const { transactionalId, producerId, producerEpoch, memberId, groupInstanceId, generationId } = request;
    if (request.groupId === '') throw new LogError('INVALID_GROUP_ID', "a group's name has at least one character");
    const offsets: OffsetToCommit[] = [];
    const topics = request.topics.map(({ name: topic, partitions }) => ({
      name: topic,
      partitions: partitions.map((one) => {
        const { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: leaderEpoch } = one;
        const known = broker.log.catalog.find(topic)?.partitions[partition] !== undefined;
        if (known) offsets.push({ topic, partition, offset, leaderEpoch, metadata: one.committedMetadata });
        return { partition, known };
      }),
    }));
    const refusal = broker.transactions.verify(transactionalId, producerId, producerEpoch, OFFSETS_TOPIC, 0);
    if (refusal !== undefined) throw refused(transactionalId, refusal, version);
    // In the same turn: when the transaction's end is decided, nothing comes after it.
    const results = await broker.groups.transactionalOffsets.pend(
      { producerId, producerEpoch },
      { group: request.groupId, memberId, groupInstanceId, generationId, offsets },
    );
    const inOrder = results.values();
    return {
      throttleTimeMs: 0,
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition, known }) => ({
          partitionIndex: partition,
          errorCode: errorNumber(known ? inOrder.next().value?.error : 'UNKNOWN_TOPIC_OR_PARTITION'),
        })),
      })),
    };
  },
  ({ topics }, errorCode) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }),
);

/**
 * Clients take "busy with the transaction" for an end here, and "loading" for what it is: worth retrying. Newer ones know
 * that the transaction alone is lost, and not they themselves (KIP-890).
 */
function refused(transactionalId: string, refusal: LogErrorCode, version: number): LogError {
  let code = refusal;
  if (refusal === 'CONCURRENT_TRANSACTIONS') {
    code = version <= OLD_LOADING_UNTIL ? 'COORDINATOR_NOT_AVAILABLE' : 'COORDINATOR_LOAD_IN_PROGRESS';
  } else if (refusal === 'INVALID_TXN_STATE' && version >= ABORTABLE_SINCE) {
    code = 'TRANSACTION_ABORTABLE';
  }
  return new LogError(code, `the transaction of '${transactionalId}' takes no offsets now: ${refusal}`);
}
