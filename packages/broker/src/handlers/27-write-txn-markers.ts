import { codeOf, errorNumber } from '../errors.ts';
import { OFFSETS_TOPIC } from '../log/data-directory.ts';
import { unknownPartition } from '../log/partition-errors.ts';
import { WriteTxnMarkers } from '../protocol/messages/transactions.ts';
import { type Call, handler } from '../server/handler.ts';
import { durable } from '../transactions/log-participants.ts';
import type { Marker } from '../transactions/participants.ts';

/**
 * WriteTxnMarkers, v1–2. Between brokers nobody sends it, there being one; operators do, to end a transaction that its
 * coordinator has forgotten (kafka-transactions --abort). So the marker is written as it is asked for, and whatever the
 * partition has to say against it is the answer. What v2 adds (the transaction's version) changes nothing here.
 */
export const writeTxnMarkers = handler(
  WriteTxnMarkers,
  async ({ markers }, call) => ({
    markers: await Promise.all(
      markers.map(async ({ producerId, producerEpoch, coordinatorEpoch, transactionResult: commit, topics }) => ({
        producerId,
        topics: await Promise.all(
          topics.map(async ({ name, partitionIndexes }) => ({
            name,
            partitions: await Promise.all(
              partitionIndexes.map(async (partitionIndex) => ({
                partitionIndex,
                errorCode: await errorOf(
                  write(name, partitionIndex, { producerId, producerEpoch, coordinatorEpoch, commit }, call),
                ),
              })),
            ),
          })),
        ),
      })),
    ),
  }),
  ({ markers }, errorCode) => ({
    markers: markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
      })),
    })),
  }),
);

async function write(topic: string, partition: number, marker: Marker, { broker }: Call): Promise<void> {
  const { catalog, groupOffsets } = broker.log;
  if (topic === OFFSETS_TOPIC && partition === 0) return groupOffsets.complete(marker, marker.commit);
  const found = catalog.find(topic)?.partitions[partition];
  if (found === undefined) throw unknownPartition(topic, partition);
  await durable(found, found.appendMarker(marker).end);
}

function errorOf(work: Promise<void>): Promise<number> {
  return work.then(
    () => 0,
    (error: unknown) => errorNumber(codeOf(error)),
  );
}
