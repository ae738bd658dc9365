import { LogError } from '../errors.ts';

/**
 * Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer follows and from where, so that
 * a poll carries only what changed. A session belongs to the connection's client by its id; each request must carry the
 * next epoch.
 */
export interface FetchedPartition {
  readonly topic: string;
  /** Zeros where the client goes by names. */
  readonly topicId: string;
  readonly partition: number;
  fetchOffset: number;
  maxBytes: number;
  currentLeaderEpoch: number;
  /** What the client was told last; -1 before it was told anything. */
  highWatermark: number;
  logStart: number;
}

export interface FetchSession {
  /** 0 for a full fetch without a session. */
  readonly id: number;
  /** In the order in which they are to be served. */
  readonly partitions: Map<string, FetchedPartition>;
  /** Only what changed is answered. */
  readonly incremental: boolean;
}

interface Kept {
  readonly id: number;
  readonly partitions: Map<string, FetchedPartition>;
  epoch: number;
  lastUsed: number;
}

/** Kafka's max.incremental.fetch.session.cache.slots. */
const MOST_SESSIONS = 1000;
/** A session that was used within this, in ms, is not given up for a new one. */
const KEPT_AT_LEAST = 120_000;
/** Partitions of all sessions together, which a client may name without their being there. */
const MOST_PARTITIONS = 250_000;
const MAX_ID = 2 ** 31 - 1;
const CLOSE = -1;

export class FetchSessions {
  private readonly random: () => number;
  private readonly sessions = new Map<number, Kept>();
  /** In all of them. */
  private partitions = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  /**
   * The session of a request, brought up to date by it. Throws FETCH_SESSION_ID_NOT_FOUND and
   * INVALID_FETCH_SESSION_EPOCH, on which a client begins anew with a full fetch.
   */
  of(
    id: number,
    epoch: number,
    changed: readonly FetchedPartition[],
    forgotten: readonly string[],
    now: number,
  ): FetchSession {
    if (epoch === CLOSE || epoch === 0) {
      this.giveUp(this.sessions.get(id));
      const partitions = new Map(changed.map((one) => [keyOf(one), one]));
      const made = epoch === CLOSE || partitions.size === 0 ? undefined : this.make(partitions, now);
      return { id: made?.id ?? 0, partitions, incremental: false };
    }
    const kept = this.sessions.get(id);
    if (kept === undefined) {
      throw new LogError('FETCH_SESSION_ID_NOT_FOUND', `there is no fetch session ${id}`);
    }
    if (kept.epoch !== epoch) {
      const what = `fetch session ${id} is at epoch ${kept.epoch}, and a request came with ${epoch}`;
      throw new LogError('INVALID_FETCH_SESSION_EPOCH', what);
    }
    kept.epoch = epoch === MAX_ID ? 1 : epoch + 1;
    kept.lastUsed = now;
    const before = kept.partitions.size;
    for (const one of changed) this.change(kept, one);
    for (const key of forgotten) kept.partitions.delete(key);
    this.partitions += kept.partitions.size - before;
    if (this.partitions > MOST_PARTITIONS) {
      this.giveUp(kept);
      throw new LogError('FETCH_SESSION_ID_NOT_FOUND', `fetch session ${id} was given up: there is no room for it`);
    }
    return { id, partitions: kept.partitions, incremental: true };
  }

  private change({ partitions }: Kept, to: FetchedPartition): void {
    const known = partitions.get(keyOf(to));
    if (known === undefined) {
      partitions.set(keyOf(to), to);
      return;
    }
    known.fetchOffset = to.fetchOffset;
    known.maxBytes = to.maxBytes;
    known.currentLeaderEpoch = to.currentLeaderEpoch;
  }

  private make(partitions: Map<string, FetchedPartition>, now: number): Kept | undefined {
    if (this.partitions + partitions.size > MOST_PARTITIONS) return undefined;
    if (this.sessions.size >= MOST_SESSIONS && !this.giveUpOldest(now)) return undefined;
    let id = 0;
    while (id === 0 || this.sessions.has(id)) id = 1 + Math.floor(this.random() * (MAX_ID - 1));
    const kept = { id, partitions, epoch: 1, lastUsed: now };
    this.sessions.set(id, kept);
    this.partitions += partitions.size;
    return kept;
  }

  private giveUpOldest(now: number): boolean {
    let oldest: Kept | undefined;
    for (const kept of this.sessions.values())
      if (oldest === undefined || kept.lastUsed < oldest.lastUsed) oldest = kept;
    if (oldest === undefined || now - oldest.lastUsed < KEPT_AT_LEAST) return false;
    this.giveUp(oldest);
    return true;
  }

  private giveUp(kept: Kept | undefined): void {
    if (kept === undefined) return;
    this.sessions.delete(kept.id);
    this.partitions -= kept.partitions.size;
  }
}

/** Names a partition within a session. */
export function keyOf(one: { readonly topic: string; readonly topicId: string; readonly partition: number }): string {
  return `${one.partition} ${one.topic === '' ? one.topicId : one.topic}`;
}
