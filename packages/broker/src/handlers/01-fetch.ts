import { codeOf, errorNumber, LogError } from '../errors.ts';
import type { ReadOptions } from '../log/partition-reader.ts';
import type { ReadOf, WriteOf } from '../protocol/message.ts';
import { Fetch } from '../protocol/messages/records.ts';
import { type FetchedPartition, type FetchSession, keyOf } from '../server/fetch-sessions.ts';
import { type Call, handler } from '../server/handler.ts';
import { partitionOf } from './partition-of.ts';

/**
 * Fetch, v4–18: record batches as they stand in the log, from an offset on, with sessions (KIP-227), long poll, and what
 * a read_committed consumer needs to leave out aborted transactions.
 *
 * Batches go out as they were sent, whatever their codec and the request's version. At least one batch is given however large it is, so that a
 * consumer never gets stuck (KIP-74); and never one that is not durable (law 12).
 *
 * Left out: fetches by replicas, preferred read replicas, and divergence of epochs, none of which one broker has.
 */
type Request = ReadOf<typeof Fetch.request.shape>;
type Response = WriteOf<typeof Fetch.response.shape>;
/** `size` is that of the records, and not part of the message. */
type PartitionResponse = Response['responses'][number]['partitions'][number] & { readonly size: number };

/** Most bytes of records in one response, whatever a client asks for. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Of all responses that are not written yet: beyond it each gets no more than it must, so that slow readers stay small. */
const MOST_IN_ALL = 256 * 1024 * 1024;
const READ_COMMITTED = 1;
const NONE: readonly Uint8Array[] = [];

export const fetchRecords = handler(
  Fetch,
  async (request, call) => {
    const { broker, client } = call;
    const { sessionId, sessionEpoch } = request;
    const changed = requested(request);
    const session = broker.fetchSessions.of(sessionId, sessionEpoch, changed, forgotten(request), broker.clock.now());
    const until = broker.clock.now() + request.maxWaitMs;
    const lent: Buffer[] = [];
    const giveBack = () => {
      for (const buffer of lent.splice(0)) broker.readBuffers.give(buffer);
    };
    call.afterWrite(giveBack);
    let round = readAll(session, request, lent, call);
    let late = request.maxWaitMs <= 0;
    while (!round.enough && !late && !broker.stopping.aborted) {
      // The clock may have been set back meanwhile.
      const left = Math.min(request.maxWaitMs, Math.max(0, until - broker.clock.now()));
      late = await isLate(session, round, request, left, call);
      if (client.gone.aborted) break;
      giveBack();
      round = readAll(session, request, lent, call);
    }
    return { throttleTimeMs: 0, errorCode: 0, sessionId: session.id, responses: answered(session, round) };
  },
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode, sessionId: 0, responses: [] }),
);

function requested({ topics }: Request): FetchedPartition[] {
  const found: FetchedPartition[] = [];
  for (const { topic, topicId, partitions } of topics) {
    for (const { partition, fetchOffset, partitionMaxBytes: maxBytes, currentLeaderEpoch } of partitions) {
      const told = { highWatermark: -1, logStart: -1 };
      found.push({ topic, topicId, partition, fetchOffset, maxBytes, currentLeaderEpoch, ...told });
    }
  }
  return found;
}

function forgotten({ forgottenTopicsData }: Request): string[] {
  return forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => keyOf({ topic, topicId, partition })),
  );
}

interface Round {
  readonly found: Map<FetchedPartition, PartitionResponse>;
  bytes: number;
  /** There is something to say at once. */
  enough: boolean;
}

function mostOf({ maxBytes }: Request): number {
  return Math.min(maxBytes, MOST_BYTES);
}

/** Nobody waits for more than will be given. */
function leastOf(request: Request, most = mostOf(request)): number {
  return Math.min(request.minBytes, Math.max(most, 1));
}

/** Notes in `lent` the buffers that the round looks into. */
function readAll({ partitions }: FetchSession, request: Request, lent: Buffer[], call: Call): Round {
  const round: Round = { found: new Map(), bytes: 0, enough: partitions.size === 0 };
  const most = Math.min(mostOf(request), Math.max(0, MOST_IN_ALL - call.broker.readBuffers.lent));
  const committedOnly = request.isolationLevel === READ_COMMITTED;
  const allocate = (bytes: number) => {
    const buffer = call.broker.readBuffers.take(bytes);
    lent.push(buffer);
    return buffer;
  };
  for (const one of partitions.values()) {
    // The first to have something gives a batch however large; once the response is full the others wait.
    const room = round.bytes === 0 ? Math.max(most, 1) : most - round.bytes;
    const response = readOne(one, room, { committedOnly, atLeastOne: round.bytes === 0, allocate }, call);
    round.found.set(one, response);
    if (response.errorCode !== 0) round.enough = true;
    round.bytes += response.size;
  }
  if (round.bytes >= leastOf(request, most)) round.enough = true;
  return round;
}

function readOne(one: FetchedPartition, room: number, options: ReadOptions, call: Call): PartitionResponse {
  const partitionIndex = one.partition;
  try {
    const partition = partitionOf(call.broker.log, one);
    if (one.currentLeaderEpoch > 0) {
      throw new LogError('UNKNOWN_LEADER_EPOCH', `the only leader epoch is 0; ${one.currentLeaderEpoch} was asked for`);
    }
    const { highWatermark, lastStableOffset, start } = partition;
    const most = Math.min(room, one.maxBytes);
    const read = partition.readBatches(one.fetchOffset, most, options);
    return {
      partitionIndex,
      errorCode: 0,
      highWatermark,
      lastStableOffset,
      logStartOffset: start,
      abortedTransactions: options.committedOnly ? read.aborted : null,
      records: read.batches,
      size: read.size,
    };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'UNKNOWN_SERVER_ERROR') call.broker.say(`Fetch of ${keyOf(one)} failed: ${String(error)}`);
    return {
      partitionIndex,
      errorCode: errorNumber(code),
      highWatermark: -1,
      abortedTransactions: null,
      records: NONE,
      size: 0,
    };
  }
}

/** Resolves when there may be enough, when nobody waits any more, and at the latest after `ms`, to whether it is late then. */
function isLate(session: FetchSession, round: Round, request: Request, ms: number, call: Call): Promise<boolean> {
  const { broker, client } = call;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const partitions = [...session.partitions.values()].map((one) => partitionOf(broker.log, one));
  const before = partitions.map(({ readableBytes }) => readableBytes);
  const missing = leastOf(request) - round.bytes;
  const arrived = () => {
    // What a marker lets a reader of committed records see was readable before.
    if (missing > 1 && request.isolationLevel !== READ_COMMITTED) {
      let sum = 0;
      for (const [n, partition] of partitions.entries()) {
        // One that is deleted is told at once.
        if (partition.error !== undefined) return resolve(false);
        sum += partition.readableBytes - before[n]!;
      }
      if (sum < missing) return;
    }
    resolve(false);
  };
  const done = () => resolve(false);
  const stops = partitions.map((partition) => partition.onAppend(arrived));
  stops.push(broker.clock.setTimer(ms, () => resolve(true)));
  client.gone.addEventListener('abort', done);
  broker.stopping.addEventListener('abort', done);
  return promise.finally(() => {
    for (const stop of stops) stop();
    client.gone.removeEventListener('abort', done);
    broker.stopping.removeEventListener('abort', done);
  });
}

/** Grouped by topic; of an incremental fetch only what the client does not know. */
function answered(session: FetchSession, { found }: Round): Response['responses'] {
  const topics = new Map<string, { topic: string; topicId: string; partitions: PartitionResponse[] }>();
  for (const [one, response] of found) {
    const { highWatermark, logStartOffset = -1, errorCode, size } = response;
    const isNews = highWatermark !== one.highWatermark || logStartOffset !== one.logStart || errorCode !== 0;
    if (session.incremental && !isNews && size === 0) continue;
    one.highWatermark = highWatermark;
    one.logStart = logStartOffset;
    if (session.incremental && size > 0) {
      // Those that had their turn come last in the next request.
      session.partitions.delete(keyOf(one));
      session.partitions.set(keyOf(one), one);
    }
    const name = one.topic === '' ? one.topicId : one.topic;
    const topic = topics.get(name) ?? { topic: one.topic, topicId: one.topicId, partitions: [] };
    topics.set(name, topic);
    topic.partitions.push(response);
  }
  return [...topics.values()];
}
