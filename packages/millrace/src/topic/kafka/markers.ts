/**
 * Reads the marker of a transactional id from the control topic. The topic holds those of all sinks, and somebody else's
 * open transaction would hide what is behind it from readers of committed records, for a minute if its publisher has died.
 * So everything is read, and which records are committed is found out here. That is sound after the id has been taken: all
 * its transactions are ended by then, and their ends are in what the brokers show.
 */
import { CONTROL_TOPIC } from '../control-topic.ts';
import type { Cluster } from './cluster.ts';
import { Again, check } from './failure.ts';
import { CommittedValue } from './records.ts';
import { READ_UNCOMMITTED, range } from './topics.ts';
import type { FetchRequest, FetchResponse } from './wire.ts';

const MOST_BYTES = 4 * 1024 * 1024;
const WAIT_MS = 500;
/** From this version of Fetch on, topics go by id. */
const BY_ID = 13;
const NO_SESSION = 0;
const NO_EPOCH = -1;

export function committedMarker(cluster: Cluster, key: Uint8Array): Promise<Uint8Array | undefined> {
  const doing = `to read topic '${CONTROL_TOPIC}'`;
  return cluster.patiently(doing, async () => {
    const { earliest, latest } = await range(cluster, CONTROL_TOPIC, 0, READ_UNCOMMITTED);
    const found = new CommittedValue(key);
    for (let offset = earliest; offset < latest; ) {
      const batches = await fetchFrom(cluster, offset, doing);
      if (batches.length === 0) throw new Again(`nothing came from offset ${offset} on`);
      for (const batch of batches) {
        found.follow(batch);
        offset = Math.max(offset, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
      }
    }
    return found.value ?? undefined;
  });
}

async function fetchFrom(cluster: Cluster, offset: number, doing: string) {
  const place = await cluster.place(CONTROL_TOPIC);
  const partition = {
    partition: 0,
    currentLeaderEpoch: NO_EPOCH,
    fetchOffset: BigInt(offset),
    lastFetchedEpoch: NO_EPOCH,
    partitionMaxBytes: MOST_BYTES,
  };
  const topicId = (await cluster.version('Fetch')) >= BY_ID ? place.id : CONTROL_TOPIC;
  const topics = [{ topicId, partitions: [partition] }];
  const args: FetchRequest = [WAIT_MS, 1, MOST_BYTES, READ_UNCOMMITTED, NO_SESSION, NO_EPOCH, topics, [], ''];
  try {
    const response = await cluster.ask<FetchRequest, FetchResponse>(place.leaders[0]!, 'Fetch', args);
    check(response.errorCode, doing);
    const [part] = response.responses.flatMap(({ partitions }) => partitions);
    check(part?.errorCode ?? 0, doing);
    return part?.records ?? [];
  } catch (error) {
    cluster.forget(CONTROL_TOPIC);
    throw error;
  }
}
