import type { LogError } from '../errors.ts';
import type { LogRecord } from './api.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { Clock } from './clock.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Partition } from './partition.ts';
import type { RecoveryPoints } from './recovery-points.ts';

/**
 * A durable map kept as a log of records, the latest per key: what the topics are and what groups committed. It is an
 * ordinary partition with all of its promises. When most of it is outdated, the live entries are written again into a
 * new segment and everything before is trimmed; a crash between the two leaves both, which says the same.
 */
export interface KeyedLogOptions {
  readonly partition: Partition;
  readonly commit: GroupCommit;
  readonly points: RecoveryPoints;
  readonly clock: Clock;
}

/** A null value deletes the key. */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

const REWRITE_ABOVE = 1024 * 1024;
const REWRITE_FACTOR = 4;
const BATCH_BYTES = 64 * 1024;

export class KeyedLog {
  private readonly options: KeyedLogOptions;
  private readonly live = new Map<string, Entry>();
  private liveBytes = 0;
  private rewriting = false;

  constructor(options: KeyedLogOptions) {
    this.options = options;
  }

  get partition(): Partition {
    return this.options.partition;
  }

  /** Reads everything, handing each entry to `each` in the order written. */
  load(each: (entry: Entry) => void): void {
    const { partition } = this.options;
    for (let offset = partition.start; offset < partition.highWatermark; ) {
      const { records, nextOffset } = partition.read(offset, 1024 * 1024);
      for (const record of records) {
        const entry = entryOf(record);
        this.remember(entry);
        each(entry);
      }
      offset = nextOffset;
    }
  }

  /** The keys that have a value, written if not yet durable. */
  keys(): Buffer[] {
    return [...this.live.values()].map(({ key }) => key);
  }

  /** Writes all entries together; calls `durable` in the order of the writes, then resolves, when they are. */
  async put(entries: readonly Entry[], durable: () => void): Promise<void> {
    const { partition } = this.options;
    const end = this.append(entries);
    await new Promise<void>((resolve, reject) => {
      partition.whenReadable(end, (error: LogError | undefined) => {
        if (error !== undefined) return reject(error);
        durable();
        resolve();
      });
    });
    this.rewriteIfWorthwhile();
  }

  /** The same for who is in the line of the group commit already. */
  async putInLine(entries: readonly Entry[]): Promise<void> {
    this.append(entries);
    await this.options.partition.flush();
  }

  private append(entries: readonly Entry[]): number {
    const builder = new BatchBuilder();
    const now = this.options.clock.now();
    for (const { key, value } of entries) builder.add(now, key, value, []);
    this.options.partition.append(builder.finish());
    for (const entry of entries) this.remember(entry);
    return this.options.partition.end;
  }

  private remember(entry: Entry): void {
    const name = entry.key.toString('latin1');
    this.liveBytes -= sizeOf(this.live.get(name));
    if (entry.value === null) this.live.delete(name);
    else this.live.set(name, entry);
    this.liveBytes += sizeOf(this.live.get(name));
  }

  private rewriteIfWorthwhile(): void {
    const { partition, commit } = this.options;
    if (this.rewriting || partition.bytes < REWRITE_ABOVE || partition.bytes < this.liveBytes * REWRITE_FACTOR) return;
    this.rewriting = true;
    const done = () => {
      this.rewriting = false;
    };
    // When it fails, the old entries still say all; the next put tries again, or is refused with the reason.
    commit.exclusively(() => this.rewrite()).then(done, done);
  }

  private async rewrite(): Promise<void> {
    const { partition, points, clock } = this.options;
    partition.roll();
    const from = partition.end;
    const builder = new BatchBuilder();
    const now = clock.now();
    for (const { key, value } of this.live.values()) {
      builder.add(now, key, value, []);
      if (builder.size >= BATCH_BYTES) partition.append(builder.finish());
    }
    if (builder.count > 0) partition.append(builder.finish());
    await partition.flush();
    partition.trimTo(from);
    await points.flush();
    partition.removeTrimmed();
  }
}

/** A record's bytes are views of the chunk that was read; what is kept must not pin it. */
function entryOf(record: LogRecord): Entry {
  return {
    key: Buffer.from(record.key ?? []),
    value: record.value === null ? null : Buffer.from(record.value),
  };
}

function sizeOf(entry: Entry | undefined): number {
  return entry === undefined ? 0 : entry.key.length + (entry.value?.length ?? 0) + 16;
}
