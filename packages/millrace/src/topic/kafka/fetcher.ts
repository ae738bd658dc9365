/**
 * Fetches for all readers of a log. One request asks a broker for all partitions that it leads and that have room, and
 * waits there until something comes; so a thousand quiet partitions cost two requests a second, not a thousand.
 *
 * A broker answers the requests of one connection one after the other. A reader that gets room while a request is being
 * waited for therefore goes into another request on another connection, of `LANES` at most; each reader is in one only.
 */
import { MillraceError } from '../../errors.ts';
import type { PartitionReader } from '../topic-log.ts';
import type { Cluster } from './cluster.ts';
import { Again, errorName, isStale, passes, refused } from './failure.ts';
import type { Asked } from './reader.ts';
import { FetchingReader, READ_AHEAD } from './reader.ts';
import { visible } from './records.ts';
import { READ_COMMITTED, range } from './topics.ts';
import type { FetchedPartition, FetchRequest, FetchResponse } from './wire.ts';

/** How long a broker may wait for something to give. */
const LONG_POLL_MS = 500;
const LANES = 3;
/** Of one answer. */
const MOST_BYTES = 8 * 1024 * 1024;
/** Of all readers together: beyond it only those are asked for that have nothing left. */
const MOST_WAITING = 64 * 1024 * 1024;
/** From this version of Fetch on, topics go by id. */
const BY_ID = 13;
const NO_SESSION = 0;
const NO_EPOCH = -1;

interface Node {
  readonly id: number;
  readonly lanesInUse: Set<number>;
  failures: number;
  resting: boolean;
}

export class Fetcher {
  readonly #cluster: Cluster;
  /** Whoever got something goes to the end, since an answer is filled in the order of the request. */
  readonly #readers = new Set<FetchingReader>();
  readonly #nodes = new Map<number, Node>();
  #scheduled = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  read(topic: string, partition: number, from: number, arrived: () => void): PartitionReader {
    const wake = () => this.#wake();
    const onClose = (reader: FetchingReader) => void this.#readers.delete(reader);
    const reader = new FetchingReader({ topic, partition, from, arrived, wake, onClose });
    this.#readers.add(reader);
    this.#wake();
    return reader;
  }

  /** Once all that happens in this turn of the loop has happened, so that readers share requests. */
  #wake(): void {
    if (this.#scheduled || this.#cluster.closed) return;
    this.#scheduled = true;
    this.#cluster.runtime.timers.soon(() => {
      this.#scheduled = false;
      if (!this.#cluster.closed) this.#dispatch();
    });
  }

  #dispatch(): void {
    const readers = [...this.#readers];
    const waiting = readers.reduce((sum, reader) => sum + reader.waiting, 0);
    const hungry = readers.filter((r) => r.wants() && (waiting < MOST_WAITING || r.waiting === 0));
    const byNode = new Map<number, FetchingReader[]>();
    for (const reader of hungry) {
      const place = this.#cluster.known(reader.topic);
      const leader = place?.leaders[reader.partition];
      if (place === undefined || leader === undefined || leader < 0) void this.#locate(reader);
      else if (!reader.isOf(place.id)) reader.failed(new MillraceError('MR_TOPIC_GONE', [reader.topic]));
      else byNode.set(leader, [...(byNode.get(leader) ?? []), reader]);
    }
    const most = Math.min(MOST_BYTES, Math.max(MOST_WAITING - waiting, 1));
    for (const [id, of] of byNode) {
      const node = this.#node(id);
      const lane = freeLane(node);
      if (lane === undefined || node.resting) continue;
      void this.#fetch(
        node,
        lane,
        of.map((reader) => reader.asked()),
        most,
      );
    }
  }

  #node(id: number): Node {
    let node = this.#nodes.get(id);
    if (!node) {
      node = { id, lanesInUse: new Set(), failures: 0, resting: false };
      this.#nodes.set(id, node);
    }
    return node;
  }

  async #fetch(node: Node, lane: number, asked: readonly Asked[], most: number): Promise<void> {
    node.lanesInUse.add(lane);
    try {
      const byId = (await this.#cluster.version('Fetch')) >= BY_ID;
      const names = namesOf(this.#cluster, asked, byId);
      const topics = topicsOf(names, asked);
      const args: FetchRequest = [LONG_POLL_MS, 1, most, READ_COMMITTED, NO_SESSION, NO_EPOCH, topics, [], ''];
      const response = await this.#cluster.ask<FetchRequest, FetchResponse>(node.id, 'Fetch', args, `fetch ${lane}`);
      if (response.errorCode !== 0) throw new Again(`it refuses to fetch: ${errorName(response.errorCode)}`);
      node.failures = 0;
      this.#hand(asked, response, names);
    } catch (error) {
      this.#broken(node, asked, error as Error);
    } finally {
      node.lanesInUse.delete(lane);
      this.#wake();
    }
  }

  /** Gives each reader its part of an answer. */
  #hand(asked: readonly Asked[], response: FetchResponse, names: ReadonlyMap<string, string>): void {
    const parts = new Map<string, FetchedPartition>();
    for (const { topicId, partitions } of response.responses)
      for (const part of partitions) parts.set(`${topicId} ${part.partitionIndex}`, part);
    for (const one of asked) {
      const { reader } = one;
      reader.busy = false;
      if (!reader.awaits(one)) continue;
      const part = parts.get(`${names.get(reader.topic)} ${reader.partition}`);
      if (!part) continue;
      if (part.errorCode !== 0) void this.#refused(one, part.errorCode);
      else this.#received(one, part);
    }
  }

  #received({ reader, offset }: Asked, part: FetchedPartition): void {
    reader.failures = 0;
    if (!part.records?.length) return;
    this.#readers.delete(reader);
    this.#readers.add(reader);
    try {
      reader.received(visible(part, offset));
    } catch (error) {
      const { topic, partition } = reader;
      reader.failed(new MillraceError('MR_TOPIC_CORRUPT', [topic, partition, offset, (error as Error).message], error));
    }
  }

  /** The broker gave nothing of this partition: a leader that moved, an offset that is gone, or a refusal for good. */
  async #refused(one: Asked, code: number): Promise<void> {
    const { reader, offset } = one;
    const { topic, partition } = reader;
    if (errorName(code) === 'OFFSET_OUT_OF_RANGE') {
      await this.#held(one, async () => {
        const found = await range(this.#cluster, topic, partition);
        if (reader.awaits(one) && (offset < found.earliest || offset > found.latest))
          reader.missed({ offset, ...found });
      });
    } else if (passes(code)) {
      if (isStale(code)) this.#cluster.forget(topic);
      await this.#held(one, async () => {
        throw new Again(errorName(code));
      });
    } else reader.failed(refused(code, `to read topic '${topic}' partition ${partition}`));
  }

  /** Learns who leads the reader's partition. */
  async #locate(reader: FetchingReader): Promise<void> {
    const one = reader.asked();
    await this.#held(one, async () => {
      const { leaders } = await this.#cluster.place(reader.topic);
      if (reader.partition >= leaders.length) throw new MillraceError('MR_TOPIC_GONE', [reader.topic]);
      if ((leaders[reader.partition] ?? -1) >= 0) return;
      this.#cluster.forget(reader.topic);
      throw new Again('there is no leader');
    });
  }

  /** Keeps a reader out of requests while something is found out for it, and for a pause when that failed. */
  async #held({ reader }: Asked, find: () => Promise<void>): Promise<void> {
    reader.busy = true;
    try {
      await find();
    } catch (error) {
      if (this.#cluster.closed) return;
      if (!(error instanceof Again)) reader.failed(error as Error);
      else await this.#cluster.pause(this.#cluster.pauseAfter(reader.failures++)).catch(() => {});
    } finally {
      reader.busy = false;
      this.#wake();
    }
  }

  /** A request without an answer: the broker rests for a while, and may not lead these partitions any more. */
  #broken(node: Node, asked: readonly Asked[], error: Error): void {
    for (const { reader } of asked) reader.busy = false;
    if (this.#cluster.closed) return;
    if (!(error instanceof Again)) {
      for (const { reader } of asked) reader.failed(error);
      return;
    }
    for (const { reader } of asked) this.#cluster.forget(reader.topic);
    this.#cluster.missed(node.id, error);
    if (node.resting) return;
    node.resting = true;
    void this.#cluster
      .pause(this.#cluster.pauseAfter(node.failures++))
      .then(() => {
        node.resting = false;
        this.#wake();
      })
      .catch(() => {});
  }
}

function freeLane({ lanesInUse }: Node): number | undefined {
  for (let lane = 0; lane < LANES; lane++) if (!lanesInUse.has(lane)) return lane;
  return undefined;
}

/** What the request calls each topic. */
function namesOf(cluster: Cluster, asked: readonly Asked[], byId: boolean): ReadonlyMap<string, string> {
  const topics = [...new Set(asked.map(({ reader }) => reader.topic))];
  return new Map(
    topics.map((topic) => {
      const name = byId ? cluster.known(topic)?.id : topic;
      if (name === undefined) throw new Again(`what was known of topic '${topic}' is stale`);
      return [topic, name];
    }),
  );
}

function topicsOf(names: ReadonlyMap<string, string>, asked: readonly Asked[]) {
  const byTopic = Map.groupBy(asked, ({ reader }) => reader.topic);
  return [...byTopic].map(([topic, of]) => {
    const partitions = of.map(({ reader, offset }) => ({
      partition: reader.partition,
      currentLeaderEpoch: NO_EPOCH,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: NO_EPOCH,
      partitionMaxBytes: READ_AHEAD / 2,
    }));
    return { topicId: names.get(topic)!, partitions };
  });
}
