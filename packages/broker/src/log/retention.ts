import type { Catalog } from './catalog.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Partition } from './partition.ts';
import type { Segment } from './segment.ts';
import { deletes } from './topic-config.ts';

/**
 * Deletes whole segments that a topic's retention lets go, oldest first: those older than retention.ms by their latest
 * record, and those in excess of retention.bytes. First the mark that says where the partition starts becomes durable,
 * then the files go, so a crash between leaves files that the next open removes, and never a hole.
 */
export class Retention {
  private readonly directory: DataDirectory;
  private readonly catalog: Catalog;
  private readonly interval: number;
  private cancel: (() => void) | undefined;

  constructor(directory: DataDirectory, catalog: Catalog, interval: number) {
    this.directory = directory;
    this.catalog = catalog;
    this.interval = interval;
  }

  start(): void {
    this.cancel = this.directory.clock.setTimer(this.interval, () => this.check(), true);
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private check(): void {
    const next = () => {
      if (this.cancel !== undefined) this.start();
    };
    // A disk that refuses this refuses appends as well, and those tell it; nothing is lost by looking again later.
    this.directory.commit.exclusively(() => this.trim()).then(next, next);
  }

  private async trim(): Promise<void> {
    const { clock, points } = this.directory;
    const trimmed: Partition[] = [];
    for (const { config, partitions } of this.catalog.all()) {
      if (!deletes(config)) continue;
      const age = config['retention.ms'];
      const oldest = age < 0 ? Number.NEGATIVE_INFINITY : clock.now() - age;
      for (const partition of partitions) {
        if (partition.error !== undefined) continue;
        const from = partition.retainedFrom(oldest, config['retention.bytes']);
        if (from <= partition.start) continue;
        await partition.flush();
        partition.trimTo(from);
        trimmed.push(partition);
      }
    }
    await points.flush();
    for (const partition of trimmed) partition.removeTrimmed();
  }
}

/** The offset from which on age and size keep a partition's segments, of which the last always stays; -1 bytes is any size. */
export function keptFrom(
  segments: readonly Segment[],
  { bytes, start, highWatermark }: { readonly bytes: number; readonly start: number; readonly highWatermark: number },
  oldest: number,
  maxBytes: number,
): number {
  let total = bytes;
  let from = start;
  for (const [n, { youngest, size }] of segments.slice(0, -1).entries()) {
    const next = segments[n + 1]!.base;
    if (next > highWatermark) break;
    if (youngest >= oldest && (maxBytes < 0 || total - size < maxBytes)) break;
    total -= size;
    from = next;
  }
  return from;
}
