/**
 * The start of a topology with checkpoints (laws 4 and 5). The order is what makes it safe against an older instance that is
 * still alive somewhere: this start claims the next incarnation; then every transactional sink is claimed, so that nobody
 * older can publish; and only then is it decided what to go on from. So whatever the older one has published was complete
 * before, and is seen here; what it completes from now on it cannot publish.
 */
import type {
  CheckpointFacts,
  CheckpointInfo,
  SavedCheckpoint,
  SavedPart,
} from '../../checkpoints/checkpoint-store.ts';
import { acceptTakeover, planTakeover } from '../../checkpoints/takeover.ts';
import { structured } from '../../codec/structured.ts';
import type { ErrorDetails } from '../../errors.ts';
import { MillraceError } from '../../errors.ts';
import type { SavedKey } from '../../state/keyed-store.ts';
import { compareEpochs, type Epoch, epochText } from '../../topology/epoch.ts';
import { KEY_GROUPS } from '../../topology/key.ts';
import type { EpochWriter } from '../../topology/sink.ts';
import type { Built } from '../../topology/topology.ts';
import type { CheckpointOptions } from '../engine-options.ts';
import { LogSpoutTask } from '../log-spout-task.ts';
import type { Station } from '../station.ts';
import type { Worker } from '../worker.ts';
import { loadRest } from './loading.ts';
import type { Outgoing } from './publisher.ts';

export interface ClaimedSink {
  readonly station: Station;
  readonly writer: EpochWriter<unknown>;
  readonly last: Epoch | undefined;
}

export interface TakenOver {
  readonly incarnation: number;
  /** What it goes on from; undefined: from nothing. */
  readonly restored: Epoch | undefined;
  /** The same, if it is one of those kept here, and not a copy from elsewhere. */
  readonly parent: Epoch | undefined;
  /** The first number that is free. */
  readonly number: number;
  readonly sinks: readonly ClaimedSink[];
  /** Epochs that are complete and that not all sinks have published, the oldest first. */
  readonly unpublished: readonly {
    readonly epoch: Epoch;
    readonly outputs: ReadonlyMap<string, Omit<Outgoing, 'epoch'>>;
  }[];
  /** Positions of the splits of each spout, those that its source does not name this time included. */
  readonly sources: CheckpointFacts['sources'];
  /** The state must be saved whole the next time: what is kept does not fit it. */
  readonly savesWhole: boolean;
}

export async function takeOver(
  built: Built,
  stations: readonly Station[],
  worker: Worker,
  options: CheckpointOptions,
): Promise<TakenOver> {
  const { store, start } = options;
  const began = worker.runtime.clock.monotonic();
  let incarnation = await store.claim();
  // Damage stops a start that chooses by itself, and not one that was told what to go on from.
  const damaged = start.from === undefined ? undefined : 'left out';
  let sinks: readonly ClaimedSink[] | undefined;
  while (sinks === undefined) {
    try {
      sinks = await claimSinks(stations, incarnation);
    } catch (thrown) {
      const claimed = newestOf(thrown);
      // By a newer start of this place: that one goes on. Otherwise what was kept here then is gone, or is older now.
      const isOlder = claimed !== undefined && claimed > incarnation && claimed <= store.newestClaim();
      if (claimed === undefined || isOlder) throw thrown;
      // All of them anew: each must know the number that its epochs will have.
      incarnation = await store.claim(claimed);
    }
  }
  try {
    return await goOn(built, stations, worker, options, { incarnation, sinks, damaged, began });
  } catch (thrown) {
    await closeAll(sinks.map(({ writer }) => writer));
    throw thrown;
  }
}

interface Claimed {
  readonly incarnation: number;
  readonly sinks: readonly ClaimedSink[];
  readonly damaged: 'left out' | undefined;
  /** Monotonic milliseconds. */
  readonly began: number;
}

/** Nobody older can publish any more. */
async function goOn(
  built: Built,
  stations: readonly Station[],
  worker: Worker,
  { store, start }: CheckpointOptions,
  { incarnation, sinks, damaged, began }: Claimed,
): Promise<TakenOver> {
  const kept = await store.completed(damaged);
  const newest = kept[0];
  if (start.from === undefined) checkNothingLost(newest, sinks, worker);
  const saved = start.from ?? (newest && (await store.read(newest.epoch)));
  const line = lineage(kept, saved);
  const isSame = saved !== undefined && start.from === undefined && !saved.info.facts.finished;
  const goesOn = saved !== undefined && !saved.info.facts.finished;
  const { same, sources } = goesOn ? restore(built, stations, worker, saved, start) : { same: false, sources: {} };
  if (goesOn) loadRest(worker, stations, saved, began);
  else saved?.release();
  store.resume(isSame && same ? saved.info.epoch : undefined);
  return {
    incarnation,
    restored: goesOn ? saved.info.epoch : undefined,
    parent: line.at(-1)?.epoch,
    number: Math.max(newest?.epoch.number ?? 0, saved?.info.epoch.number ?? 0) + 1,
    sinks,
    unpublished: await unpublished(line, sinks, (epoch) => store.read(epoch)),
    sources,
    savesWhole: !(isSame && same),
  };
}

/** The start that has claimed a sink which refuses this one. */
function newestOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof MillraceError && thrown.code === 'MR_SINK_CLAIMED')) return undefined;
  const [, , , newest] = thrown.details as ErrorDetails<'MR_SINK_CLAIMED'>;
  return newest;
}

/** Also where the sinks publish at once this time: an earlier start may have left epochs to be published. */
async function claimSinks(stations: readonly Station[], incarnation: number): Promise<readonly ClaimedSink[]> {
  const sinks: ClaimedSink[] = [];
  for (const station of stations) {
    const { component } = station;
    if (component.kind !== 'sink' || component.sink.epochs === undefined) continue;
    const writer: EpochWriter<unknown> = await component.sink.epochs.open(station.taskContext(0, station.firstId));
    try {
      sinks.push({ station, writer, last: await writer.claim(incarnation) });
    } catch (thrown) {
      await closeAll([writer, ...sinks.map((sink) => sink.writer)]);
      throw thrown;
    }
  }
  return sinks;
}

async function closeAll(writers: readonly EpochWriter<unknown>[]): Promise<void> {
  await Promise.allSettled(writers.map(async (writer) => writer.close?.()));
}

/** A sink that has published more than is kept here: the same outputs would be made, and published, again. */
function checkNothingLost(newest: CheckpointInfo | undefined, sinks: readonly ClaimedSink[], worker: Worker): void {
  for (const { station, last } of sinks) {
    if (last === undefined) continue;
    if (newest === undefined) {
      worker.options.log(
        station.id,
        `has published epoch ${epochText(last)} before; nothing is kept of that time, so this start begins anew`,
      );
    } else if (compareEpochs(last, newest.epoch) > 0)
      throw new MillraceError('MR_CHECKPOINT_BEHIND', [station.id, epochText(last), epochText(newest.epoch)]);
  }
}

interface Restored {
  /** Everything is taken over as it is. */
  readonly same: boolean;
  readonly sources: CheckpointFacts['sources'];
}

function restore(
  built: Built,
  stations: readonly Station[],
  worker: Worker,
  saved: SavedCheckpoint,
  start: CheckpointOptions['start'],
): Restored {
  const { facts } = saved.info;
  const plan = acceptTakeover(planTakeover(built, saved, start));
  for (const name of plan.unused)
    worker.options.log(undefined, `'${name}' is to be renamed or dropped, and the checkpoint has nothing of that name`);
  let same = true;
  const sources: { [component: string]: CheckpointFacts['sources'][string] } = {};
  for (const { component, kind, fate, from, drop, parts } of plan.components) {
    if (fate !== 'taken' || from !== component || parts.some((part) => part.fate !== 'taken')) same = false;
    const station = stations.find(({ id }) => id === component);
    if (station === undefined || from === undefined) continue;
    if (kind === 'spout') {
      sources[component] = facts.sources[from] ?? {};
      restoreSpout(station, sources[component]);
    }
    if (kind === 'bolt') restoreBolt(station, saved.state(from), drop, facts.watermarks[from]);
  }
  return { same, sources };
}

function restoreSpout({ spouts }: Station, splits: CheckpointInfo['facts']['sources'][string]): void {
  const positions = new Map(Object.entries(splits));
  for (const spout of spouts) if (spout instanceof LogSpoutTask) spout.restore(positions);
}

function restoreBolt(
  { tasks, worker }: Station,
  parts: readonly SavedPart[],
  drop: readonly string[],
  watermark: number | undefined,
): void {
  for (const [index, task] of tasks.entries()) {
    const state = task.timeReport()?.state;
    if (state === undefined) continue;
    const from = Math.ceil((index * KEY_GROUPS) / tasks.length);
    const to = Math.ceil(((index + 1) * KEY_GROUPS) / tasks.length);
    const runs = runsOfEqualShapes(parts);
    const first = runs[0];
    if (runs.length === 1 && first !== undefined) {
      const groupOf = (group: number) => orFail(worker, keysOf(first, group, group + 1));
      state.restoreLater(first[0]!.shapes, { from, to, keysOf: groupOf }, drop);
    } else for (const alike of runs) state.restore(alike[0]!.shapes, keysOf(alike, from, to), drop);
    if (watermark !== undefined) task.resume?.(watermark);
  }
}

function* keysOf(parts: readonly SavedPart[], from: number, to: number): Generator<SavedKey> {
  for (const part of parts) yield* part.keys(from, to);
}

/** What cannot be read any more ends the topology, in whichever step that was noticed: no record is to blame. */
function* orFail(worker: Worker, keys: Iterable<SavedKey>): Generator<SavedKey> {
  try {
    yield* keys;
  } catch (thrown) {
    worker.fail(thrown as MillraceError);
    throw thrown;
  }
}

/** Those that follow each other and have the same shapes are restored in one go. */
function runsOfEqualShapes(parts: readonly SavedPart[]): readonly (readonly SavedPart[])[] {
  const runs: SavedPart[][] = [];
  for (const part of parts) {
    const last = runs.at(-1);
    if (last !== undefined && JSON.stringify(last[0]!.shapes) === JSON.stringify(part.shapes)) last.push(part);
    else runs.push([part]);
  }
  return runs;
}

/** The checkpoints that lead to this one, as far as they are kept, the oldest first. */
function lineage(kept: readonly CheckpointInfo[], saved: SavedCheckpoint | undefined): readonly CheckpointInfo[] {
  if (saved === undefined) return [];
  const line: CheckpointInfo[] = [];
  // A savepoint of another place may have an epoch that is called like one of ours.
  const isKept = kept.some(
    ({ epoch, facts }) => compareEpochs(epoch, saved.info.epoch) === 0 && facts.at === saved.info.facts.at,
  );
  let next: Epoch | undefined = isKept ? saved.info.epoch : undefined;
  for (const info of kept) {
    if (next === undefined) break;
    if (compareEpochs(info.epoch, next) !== 0) continue;
    line.unshift(info);
    next = info.facts.parent;
  }
  return line;
}

async function unpublished(
  line: readonly CheckpointInfo[],
  sinks: readonly ClaimedSink[],
  read: (epoch: Epoch) => Promise<SavedCheckpoint>,
): Promise<TakenOver['unpublished']> {
  const found: { epoch: Epoch; outputs: Map<string, Omit<Outgoing, 'epoch'>> }[] = [];
  for (const { epoch, facts } of line) {
    const due = sinks.filter(
      ({ station, last }) =>
        facts.outputs[station.id] !== undefined && (last === undefined || compareEpochs(last, epoch) < 0),
    );
    if (due.length === 0) continue;
    const saved = await read(epoch);
    const outputs = new Map<string, Omit<Outgoing, 'epoch'>>();
    for (const { station } of due) {
      const chunks = saved.outputs(station.id);
      const entries = chunks.flatMap((chunk) => structured.decode(chunk) as readonly unknown[]);
      outputs.set(station.id, {
        entries,
        times: [],
        bytes: chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
      });
    }
    saved.release();
    found.push({ epoch, outputs });
  }
  return found;
}
