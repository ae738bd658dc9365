import { LogError } from '../errors.ts';
import type { Catalog } from '../log/catalog.ts';
import { OFFSETS_TOPIC } from '../log/data-directory.ts';
import type { GroupOffsets } from '../log/group-offsets.ts';
import type { Partition } from '../log/partition.ts';
import type { Marker, Participants } from './participants.ts';

/**
 * The participants that a data directory holds. A marker is written only where the producer's transaction is open: so a
 * decision that is carried out again after a crash leaves no second marker. Where none is open, the partition's end is
 * waited for, because what ended it may not be durable yet.
 */
export function logParticipants(log: { readonly catalog: Catalog; readonly groupOffsets: GroupOffsets }): Participants {
  return {
    async end(topic, partition, marker) {
      if (topic === OFFSETS_TOPIC) return log.groupOffsets.complete(marker, marker.commit);
      const found = log.catalog.find(topic)?.partitions[partition];
      if (found === undefined) return;
      try {
        await endIn(found, marker);
      } catch (error) {
        // Deleted while it was waited for.
        if (!(error instanceof LogError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION')) throw error;
      }
    },
  };
}

function endIn(partition: Partition, marker: Marker): Promise<void> {
  if (partition.hasOpenTransaction(marker.producerId)) partition.appendMarker(marker);
  return durable(partition, partition.end);
}

/** Resolves when all before `end` is durable. */
export function durable(partition: Partition, end: number): Promise<void> {
  return new Promise((resolve, reject) => {
    partition.whenReadable(end, (error) => (error === undefined ? resolve() : reject(error)));
  });
}
