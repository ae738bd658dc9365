import { LogError } from '../errors.ts';
import type { GroupCommit } from './group-commit.ts';
import { corruption } from './partition-errors.ts';
import { ProducerSnapshots } from './producer-snapshots.ts';
import { ProducerStates } from './producer-state.ts';
import { baseOffsetOf, claimedSize, endOffsetOf, faultOf, HEADER_BYTES } from './record-batch.ts';
import type { Mark } from './recovery-points.ts';
import { baseOfLog, Segment, type SegmentPlace } from './segment.ts';
import { finishReplacements } from './segment-replacement.ts';
import type { StorageFile } from './storage.ts';

/**
 * Brings a partition's files back to what may be served after the process died anywhere.
 *
 * Batches are walked from where the files are last known to be whole. The first that is not whole ends the log: at or
 * above the mark it is a torn tail, and it is cut with everything after it; below the mark it was durable once, so it is
 * corruption, nothing is cut, and the partition refuses writes (law 12).
 *
 * What stands above the mark was perhaps never synced, and after a failed sync the page cache may call such bytes clean
 * although the disk has not got them. So they are written again before the sync that vouches for them.
 *
 * The walk begins no later than where the last snapshot of the producers ends, and follows them from there; without one
 * everything is walked.
 */
export interface RecoveryRequest {
  readonly topic: string;
  readonly partition: number;
  readonly place: SegmentPlace;
  readonly commit: GroupCommit;
  /** Nothing when both of the cell's slots are damaged. */
  readonly mark: Mark | undefined;
  /** Wall ms. */
  readonly now: number;
  readonly producerExpirationMs: number;
}

/** What a partition starts from. */
export interface PartitionState {
  readonly segments: Segment[];
  readonly start: number;
  readonly end: number;
  /** Below it the active segment's index files are known to be right. */
  readonly indexed: number;
  /** Below it compaction may have taken records; `clean` when it finished there. */
  readonly compacted: number;
  readonly clean: boolean;
  readonly producers: ProducerStates;
  readonly snapshots: ProducerSnapshots;
  readonly error?: LogError | undefined;
}

/** This much below the end is walked even after a clean stop; older batches are checked when they are read. */
const ALWAYS_CHECKED = 64 * 1024 * 1024;
const CHUNK = 1024 * 1024;

export async function recoverPartition(request: RecoveryRequest): Promise<PartitionState> {
  const { place, commit, topic, partition } = request;
  await finishReplacements(place, commit);
  if (request.mark === undefined) return unmarked(request);
  const mark = { ...request.mark, synced: Math.max(request.mark.synced, request.mark.start) };
  const segments = loadSegments(place, mark.start);
  if (segments.length === 0 && mark.synced === mark.start) {
    const first = new Segment(place, mark.start);
    first.create();
    segments.push(first);
  }
  if (segments[0] === undefined || segments[0].base > mark.start) {
    return broken(segments, mark, corruption(topic, partition, mark.start, 'its segment is missing'), request);
  }
  const replay = replayOf(request, segments, mark);
  const walked = walkSegments(segments, mark, replay);
  if (walked.end < mark.synced) {
    const what = walked.fault ?? 'the file ends before it';
    return broken(segments, mark, corruption(topic, partition, walked.end, what), request, replay);
  }
  cutAfter(segments, walked.count);
  for (const [segment, from] of walked.unmarked) await writeAgain(segment, from, commit);
  const saved = segments.slice(0, -1).filter((segment) => segment.saveIndex());
  const { base } = segments[segments.length - 1]!;
  const { producers, snapshots } = replay;
  snapshots.removeBehind(replay.from);
  if (replay.boundary?.offset === base) snapshots.write(base, replay.boundary.snapshot);
  await commit.syncDirectory(place.directory);
  for (const segment of saved) await segment.syncIndex(commit);
  await snapshots.sync(commit, base);
  for (const segment of segments) {
    segment.readable = segment.size;
    segment.writtenAt = request.now;
  }
  for (const segment of segments.slice(0, -1)) segment.close();
  segments[segments.length - 1]!.rest();
  const indexed = walked.indexTrusted ? Math.max(base, Math.min(mark.indexed, walked.end)) : base;
  const { compacted, clean } = mark;
  return { segments, start: mark.start, end: walked.end, indexed, compacted, clean, producers, snapshots };
}

/** The producers, who are followed through the batches from `from` on. */
interface Replay {
  readonly from: number;
  readonly now: number;
  readonly producers: ProducerStates;
  readonly snapshots: ProducerSnapshots;
  /** As they were where the last segment that was walked begins. */
  boundary: { readonly offset: number; readonly snapshot: Buffer } | undefined;
}

function replayOf(
  { place, now, producerExpirationMs }: RecoveryRequest,
  segments: readonly Segment[],
  mark: Mark,
): Replay {
  const snapshots = new ProducerSnapshots(place);
  // A segment whose index of aborted transactions is damaged is walked from its beginning to make it again.
  let known = mark.indexed;
  for (const segment of segments) {
    if (segment.base < known && !segment.loadAborted(mark.indexed)) known = segment.base;
  }
  const { offset: from, producers } = snapshots.latest(known, now, producerExpirationMs) ?? {
    offset: 0,
    producers: new ProducerStates(producerExpirationMs),
  };
  return { from, now, producers, snapshots, boundary: undefined };
}

/** The segments that the files are, oldest first, without those that lie before `start`, whose files go. */
function loadSegments(place: SegmentPlace, start: number): Segment[] {
  const bases: number[] = [];
  for (const name of place.storage.list(place.directory)) {
    const base = baseOfLog(name);
    if (base !== undefined) bases.push(base);
  }
  bases.sort((a, b) => a - b);
  const segments: Segment[] = [];
  for (const [n, base] of bases.entries()) {
    const segment = new Segment(place, base);
    segment.size = segment.file.size();
    segment.release();
    const next = bases[n + 1];
    // An empty one behind another is left from a new segment that could not be completed.
    if ((next !== undefined && next <= start) || (segment.size === 0 && segments.length > 0)) segment.remove();
    else segments.push(segment);
  }
  return segments;
}

interface Walked {
  /** The offset after the last whole batch. */
  readonly end: number;
  /** How many segments hold what is whole. */
  readonly count: number;
  /** From which position on a segment holds what lies above the mark. */
  readonly unmarked: ReadonlyMap<Segment, number>;
  /** The last one's index files are as the mark says. */
  readonly indexTrusted: boolean;
  readonly fault: string | undefined;
}

function walkSegments(segments: readonly Segment[], mark: Mark, replay: Replay): Walked {
  const unmarked = new Map<Segment, number>();
  let end = segments[0]!.base;
  let indexTrusted = true;
  for (const [n, segment] of segments.entries()) {
    if (segment.base !== end && !(segment.base > end && end < mark.compacted)) {
      return { end, count: n, unmarked, indexTrusted, fault: `the next segment starts at ${segment.base}` };
    }
    const next = segments[n + 1]?.base;
    // Followed by another below the mark: its end and its index files are durable.
    const vouched = Math.min(mark.indexed, mark.synced, replay.from);
    end = segment.base;
    const replaced = mark.rewriting && end < mark.compacted;
    if (next !== undefined && next <= vouched && !replaced && segment.loadSummary()) {
      end = next;
      continue;
    }
    indexTrusted = segment.loadIndex(replaced ? 0 : Math.max(0, mark.indexed - segment.base)) && !replaced;
    segment.loadAborted(replay.from);
    if (end > replay.from) replay.boundary = { offset: end, snapshot: replay.producers.snapshot(end, replay.now) };
    const walk = walkSegment(segment, mark, replay);
    end = walk.end;
    if (walk.unmarkedFrom !== undefined) unmarked.set(segment, walk.unmarkedFrom);
    if (walk.fault !== undefined) return { end, count: n + 1, unmarked, indexTrusted, fault: walk.fault };
  }
  return { end, count: segments.length, unmarked, indexTrusted, fault: undefined };
}

interface SegmentWalk {
  readonly end: number;
  /** Where offsets begin that are not below the mark. */
  readonly unmarkedFrom: number | undefined;
  readonly fault: string | undefined;
}

/** Checks batch after batch, and continues the indexes behind what was loaded of them. */
function walkSegment(segment: Segment, { synced, compacted }: Mark, replay: Replay): SegmentWalk {
  const { file } = segment;
  const fileSize = file.size();
  const begin = segment.index.entryBefore(Math.max(0, fileSize - ALWAYS_CHECKED), replay.from - segment.base);
  let { position } = begin;
  let end = segment.base + begin.relativeOffset;
  let unmarkedFrom = end >= synced ? position : undefined;
  let fault: string | undefined;
  let chunk: Buffer = Buffer.alloc(0);
  let chunkAt = position;
  segment.size = position;
  while (position < fileSize) {
    if (!holdsBatch(chunk, position - chunkAt)) {
      chunk = chunkFrom(file, position, fileSize);
      chunkAt = position;
    }
    const at = position - chunkAt;
    fault = faultOf(chunk, at, chunk.length) ?? misplaced(baseOffsetOf(chunk, at), end, compacted);
    if (fault !== undefined) break;
    const size = claimedSize(chunk, at);
    segment.added(chunk, at, position, size);
    follow(segment, chunk, at, replay);
    end = endOffsetOf(chunk, at);
    position += size;
    if (end >= synced) unmarkedFrom ??= position;
  }
  return { end, unmarkedFrom, fault };
}

function follow(segment: Segment, chunk: Buffer, at: number, { from, now, producers }: Replay): void {
  if (baseOffsetOf(chunk, at) < from) return;
  const aborted = producers.follow(chunk, at, now);
  if (aborted !== undefined) segment.addAborted(aborted);
}

function holdsBatch(chunk: Buffer, at: number): boolean {
  return chunk.length - at >= HEADER_BYTES && claimedSize(chunk, at) <= chunk.length - at;
}

/** Some of the file from `position`, with the whole batch that begins there if the file has it. */
function chunkFrom(file: StorageFile, position: number, fileSize: number): Buffer {
  const left = fileSize - position;
  const chunk = readAt(file, position, Math.min(CHUNK, left));
  const claimed = chunk.length < HEADER_BYTES ? 0 : claimedSize(chunk, 0);
  return claimed > chunk.length && claimed <= left ? readAt(file, position, claimed) : chunk;
}

function readAt(file: StorageFile, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  return bytes.subarray(0, file.read(bytes, position));
}

function misplaced(found: number, expected: number, compacted: number): string | undefined {
  return found === expected || (found > expected && expected < compacted)
    ? undefined
    : `it says that its offset is ${found}`;
}

/** Removes the segments after the first `count`, and what stands behind the last whole batch. */
function cutAfter(segments: Segment[], count: number): void {
  for (const segment of segments.splice(Math.max(1, count))) segment.remove();
  segments[segments.length - 1]!.cutTail();
}

async function writeAgain(segment: Segment, from: number, commit: GroupCommit): Promise<void> {
  for (let at = from; at < segment.size; at += CHUNK) {
    segment.file.write(readAt(segment.file, at, Math.min(CHUNK, segment.size - at)), at);
  }
  await commit.sync(segment.file, segment.path);
}

/** As the files are: readable where they are whole, never written. */
function broken(
  segments: Segment[],
  mark: Mark,
  error: LogError,
  { place, producerExpirationMs }: RecoveryRequest,
  replay?: Replay,
): PartitionState {
  if (segments.length === 0) segments.push(new Segment(place, mark.start));
  else for (const segment of segments) segment.openAsIs();
  const { start, synced: end, compacted, clean } = mark;
  const producers = replay?.producers ?? new ProducerStates(producerExpirationMs);
  const snapshots = replay?.snapshots ?? new ProducerSnapshots(place);
  return { segments, start, end, indexed: start, compacted, clean, producers, snapshots, error };
}

function unmarked(request: RecoveryRequest): PartitionState {
  const { place, topic, partition } = request;
  const segments = loadSegments(place, 0);
  const start = segments[0]?.base ?? 0;
  // Nobody can say what compaction took either.
  const mark: Mark = {
    start,
    synced: start,
    indexed: start,
    compacted: Number.MAX_SAFE_INTEGER,
    clean: false,
    rewriting: false,
  };
  const replay = replayOf(request, segments, mark);
  const walked = segments.length === 0 ? undefined : walkSegments(segments, mark, replay);
  const error = new LogError(
    'CORRUPT_MESSAGE',
    `topic '${topic}' partition ${partition}: both copies of its recovery point are damaged, so nobody can say what was durable of offsets ${start} to ${walked?.end ?? start}; it can be read, and refuses writes until its files are restored or the topic is deleted`,
  );
  return broken(segments, { ...mark, synced: walked?.end ?? start }, error, request, replay);
}
