import type { Catalog } from './catalog.ts';
import { Compaction, CompactionStopped } from './compaction.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Partition } from './partition.ts';
import type { Segment } from './segment.ts';
import { isSystemError } from './storage.ts';
import { compacts, segmentAge } from './topic-config.ts';

/**
 * Looks regularly for partitions that are to be compacted, and compacts one at a time, the dirtiest first: those of
 * topics whose cleanup.policy says so, of which more than min.cleanable.dirty.ratio is new, or whose oldest new record
 * is older than max.compaction.lag.ms.
 */
export interface CompactorOptions {
  readonly directory: DataDirectory;
  readonly catalog: Catalog;
  /** Milliseconds from the end of one look to the next. */
  readonly interval: number;
  /** What the map of one compaction may take. */
  readonly mapBytes: number;
}

interface Candidate {
  readonly partition: Partition;
  readonly segments: readonly Segment[];
  readonly end: number;
  readonly ratio: number;
}

export class Compactor {
  private readonly options: CompactorOptions;
  private cancel: (() => void) | undefined;
  private wake: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(options: CompactorOptions) {
    this.options = options;
  }

  start(): void {
    this.cancel = this.options.directory.clock.setTimer(this.options.interval, () => this.look(), true);
  }

  /** Resolves when nothing is compacted any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    this.wake?.();
    await this.running;
  }

  private look(): void {
    this.running = this.compactAll().finally(() => {
      this.running = undefined;
      if (!this.stopped) this.start();
    });
  }

  private async compactAll(): Promise<void> {
    const done = new Set<Partition>();
    while (!this.stopped) {
      let next: Candidate | undefined;
      try {
        next = this.dirtiest(done);
        if (next === undefined) return;
        done.add(next.partition);
        await this.compact(next);
      } catch (error) {
        this.explain(next?.partition, error);
        if (next === undefined) return;
      }
    }
  }

  private async compact({ partition, segments, end }: Candidate): Promise<void> {
    const { clock, commit, points } = this.options.directory;
    const { mapBytes } = this.options;
    await new Compaction({ partition, clock, commit, points, mapBytes, pause: () => this.pause() }).run(segments, end);
  }

  private dirtiest(done: ReadonlySet<Partition>): Candidate | undefined {
    let found: Candidate | undefined;
    for (const { config, partitions } of this.options.catalog.all()) {
      if (!compacts(config)) continue;
      for (const partition of partitions) {
        if (done.has(partition) || partition.error !== undefined || partition.compactionFailed) continue;
        const candidate = this.candidate(partition);
        if (candidate !== undefined && (found === undefined || candidate.ratio > found.ratio)) found = candidate;
      }
    }
    return found;
  }

  private candidate(partition: Partition): Candidate | undefined {
    const { config } = partition;
    const now = this.options.directory.clock.now();
    partition.rollIfOlder(now - segmentAge(config));
    const closed = partition.closedSegments();
    const youngest = now - config['min.compaction.lag.ms'];
    const from = partition.firstDirty;
    let total = 0;
    let dirty = 0;
    let oldest: number | undefined;
    for (const [n, segment] of closed.segments.entries()) {
      const next = closed.segments[n + 1]?.base ?? closed.end;
      if (next > from) {
        // What is too young, and all behind it, has to wait.
        if (config['min.compaction.lag.ms'] > 0 && segment.youngest > youngest) {
          return this.worthwhile(partition, { ...closed, end: segment.base, total, dirty, oldest, now });
        }
        dirty += segment.size;
        oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, segment.firstTimestamp ?? Number.POSITIVE_INFINITY);
      }
      total += segment.size;
    }
    return this.worthwhile(partition, { ...closed, total, dirty, oldest, now });
  }

  private worthwhile(
    partition: Partition,
    found: {
      readonly segments: readonly Segment[];
      readonly end: number;
      readonly total: number;
      readonly dirty: number;
      readonly oldest: number | undefined;
      readonly now: number;
    },
  ): Candidate | undefined {
    const { total, dirty, oldest, now, end } = found;
    if (dirty === 0) return undefined;
    const { config } = partition;
    const ratio = dirty / total;
    const overdue = oldest !== undefined && now - oldest > config['max.compaction.lag.ms'];
    if (!overdue && ratio <= config['min.cleanable.dirty.ratio']) return undefined;
    return { partition, segments: found.segments.filter(({ base }) => base < end), end, ratio };
  }

  /** Lets everything else have a turn. */
  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.options.directory.clock.setTimer(0, resolve, true);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
    if (this.stopped) throw new CompactionStopped('the log is closed');
  }

  /**
   * Damage was told to the partition, which now says so to all; a disk that refuses this refuses appends as well, and
   * those tell it; what stopped because the partition changed is looked at again.
   */
  private explain(partition: Partition | undefined, error: unknown): void {
    if (error instanceof CompactionStopped || partition?.error !== undefined) return;
    if (this.options.directory.commit.stopped !== undefined || isSystemError(error)) return;
    this.options.directory.rethrow(error);
  }
}
