/** Reads a topic for a person or a script: to the end as it was at the start, or on and on. */
import type { Log, LogRecord } from '@millrace/broker';
import type { From } from '../api.ts';
import { wrong } from './params.ts';

export interface Wanted {
  readonly topic: string;
  /** All of them, when undefined. */
  readonly partition?: number;
  readonly from: From;
  readonly max?: number;
  readonly follow: boolean;
}

/** Gives records in order within each partition, one at a time: the next when `give` has resolved. */
export async function consume(
  log: Log,
  { topic, partition, from, max = Number.POSITIVE_INFINITY, follow }: Wanted,
  give: (record: LogRecord, partition: number) => Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly records: number; readonly complete: boolean }> {
  const all = log.describeTopic(topic).partitions.map((p) => p.partition);
  if (partition !== undefined && !all.includes(partition))
    throw wrong(`topic '${topic}' has the partitions 0 to ${all.length - 1}, and not ${partition}`);
  const partitions = (partition === undefined ? all : [partition]).map((p) => ({
    partition: p,
    at: startOf(log, topic, p, from),
    end: follow ? Number.POSITIVE_INFINITY : log.offsets(topic, p).latest,
  }));
  let records = 0;
  const bell = bellOf(signal);
  const stops = partitions.map((p) => log.onAppend(topic, p.partition, bell.ring));
  try {
    while (records < max && !signal.aborted) {
      let found = false;
      for (const p of partitions) {
        if (p.at >= Math.min(p.end, log.offsets(topic, p.partition).latest)) continue;
        const read = log.read(topic, p.partition, p.at);
        p.at = read.nextOffset;
        found = true;
        for (const record of read.records) {
          if (records >= max || record.offset >= p.end || signal.aborted) break;
          records++;
          await give(record, p.partition);
        }
      }
      if (found) continue;
      if (!follow) break;
      await bell.rung();
    }
  } finally {
    for (const stop of stops) stop();
    bell.remove();
  }
  return { records, complete: !signal.aborted };
}

function startOf(log: Log, topic: string, partition: number, from: From): number {
  if (typeof from === 'string') return log.offsets(topic, partition)[from];
  return 'offset' in from ? from.offset : log.offsetForTime(topic, partition, from.time);
}

/** Waits until it is rung, by an append or by the end of the call; a ring while nobody waits is kept. */
function bellOf(signal: AbortSignal) {
  let rings = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rings = true;
    wake?.();
  };
  signal.addEventListener('abort', ring);
  return {
    ring,
    async rung(): Promise<void> {
      if (!rings && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      rings = false;
      wake = undefined;
    },
    remove: () => signal.removeEventListener('abort', ring),
  };
}
