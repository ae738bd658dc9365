/**
 * A task of a log spout: reads its splits, follows each record's tree, replays what failed, and notes, per split, the
 * position below which everything is done. At-most-once notes the position first, durably, and only then sends off; where
 * checkpoints are kept, a barrier takes the positions along.
 * A watermark follows the records that it speaks of: what is not sent off yet does not count.
 */

import type { SplitPosition } from '../checkpoints/checkpoint-store.ts';
import { shown } from '../codec/shown.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { SourceTime } from '../time/source-time.ts';
import { Timestamps } from '../time/timestamps.ts';
import type { LogReader, LogTask, Position, Rejected, SpoutCode } from '../topology/spout.ts';
import type { Task } from '../topology/task.ts';
import type { Barrier } from './barrier.ts';
import type { Metrics } from './metrics.ts';
import type { Output } from './output.ts';
import { LogRoot, Split } from './split.ts';
import type { SpoutTask } from './spout-task.ts';
import type { Station } from './station.ts';
import type { TreeOwner } from './tree.ts';

type LogCode = Extract<SpoutCode, { readonly kind: 'log' }>;

/** Records asked of the source at once. */
const BATCH = 256;
/** How long (ms) a batch may keep the thread, and how many records are sent between two looks at the clock. */
const SLICE = 2;
const LOOK = 16;
/** Positions of checkpoints are noted at the source this often (ms). */
const NOTE_EVERY = 1000;

export class LogSpoutTask implements SpoutTask, TreeOwner<LogRoot> {
  readonly outputs: readonly Output[];
  readonly #station: Station;
  readonly #metrics: Metrics;
  readonly #index: number;
  readonly #code: LogCode;
  readonly #wake: () => void;
  readonly #splits: readonly Split[];
  readonly #context: Task;
  /** Acking: trees are followed, and what fails is replayed. */
  readonly #tracks: boolean;
  /** At-most-once: what is about to be sent off is noted first. */
  readonly #notesFirst: boolean;
  /** Where to go on, by split: what a checkpoint says. */
  #restored: ReadonlyMap<string, SplitPosition> | undefined;
  readonly #maxPending: number;
  readonly eventTime: SourceTime | undefined;
  readonly #timestamps: Timestamps | undefined;
  #reader: LogReader | undefined;
  /** Taken from the source, not sent off yet: from `#sent` on. */
  #batch: LogRoot[] = [];
  #sent = 0;
  #pending = 0;
  #ready = true;
  #active = true;
  /** At-most-once: what was taken is sent off when its positions are noted. */
  #committing = false;
  /** One commit at a time: an older one must not end last. */
  #lastCommit: Promise<void> = Promise.resolve();
  #over = false;
  #failures = 0;
  /** How far the last checkpoint that was completed is. */
  #complete: ReadonlyMap<string, SplitPosition> | undefined;
  #noteNext = 0;

  constructor(
    station: Station,
    index: number,
    firstId: number,
    code: LogCode,
    splits: readonly string[],
    wake: () => void,
  ) {
    this.#station = station;
    this.#metrics = station.metrics;
    this.#index = index;
    this.#code = code;
    this.#wake = wake;
    this.outputs = station.makeOutputs();
    this.#splits = splits.map((name) => new Split(station.id, name));
    this.#context = station.taskContext(index, firstId);
    this.#tracks = station.worker.keeps === 'acking';
    this.#notesFirst = station.worker.keeps === 'nothing';
    const { maxPending, time } = station.component.settings;
    this.#maxPending = maxPending;
    this.#timestamps = Timestamps.for(time!, station.timed, station.worker.runtime.clock);
    this.eventTime = station.sourceTime(splits, this.outputs, {
      wake,
      align: (name, farAhead) => this.#pause(this.#splits.find((split) => split.name === name)!, 'farAhead', farAhead),
    });
    for (const [i, split] of this.#splits.entries()) split.time = this.eventTime?.splits[i];
  }

  get exhausted(): boolean {
    return this.#sourceEnded && this.queued === 0;
  }
  get #sourceEnded(): boolean {
    return this.#over || this.#splits.every((split) => split.ended);
  }
  get pending(): number {
    return this.#pending;
  }
  get queued(): number {
    return this.#batch.length - this.#sent;
  }

  async open(): Promise<void> {
    const byName = new Map(this.#splits.map((split) => [split.name, split]));
    let last: Split | undefined;
    const splitOf = (name: string): Split => {
      if (last?.name === name) return last;
      last = byName.get(name);
      if (last === undefined) throw new MillraceError('MR_SPLIT', [this.#station.id, name, [...byName.keys()]]);
      return last;
    };
    const context: LogTask<unknown> = {
      ...this.#context,
      splits: [...byName.keys()],
      wake: () => this.#woken(),
      end: () => {
        this.#over = true;
        for (const split of this.#splits) this.#splitEnded(split);
        this.#woken();
      },
      endSplit: (split) => {
        const ending = splitOf(split);
        if (ending.ended) return;
        this.#splitEnded(ending);
        this.#woken();
      },
      emit: (split, position, next, value, time) => this.#emit(splitOf(split), position, next, value, time),
      reject: (split, position, next, rejected) => this.#reject(splitOf(split), position, next, rejected),
    };
    this.#reader = await this.#code.open(context as never);
    for (const split of this.#splits) split.start = this.#reader.seek(split.name, this.#goOn(split)) ?? undefined;
  }

  /** Before `open`: what the checkpoint that is restored says of the component's splits. */
  restore(splits: ReadonlyMap<string, SplitPosition>): void {
    this.#restored = splits;
  }

  #goOn(split: Split): Position | undefined {
    const at = this.#restored?.get(split.name);
    if (at === undefined) return undefined;
    split.taken = at.position;
    split.time?.resume(at.newest, at.watermark);
    return at.position;
  }

  /** What has been sent off belongs to the epoch before, what has only been taken does not. */
  barrier(barrier: Barrier): void {
    const splits = new Map<string, SplitPosition>();
    for (const { name, start, taken, time } of this.#splits) {
      const { newest = -Infinity, watermark = -Infinity } = time ?? {};
      splits.set(name, { position: taken ?? start, newest, watermark });
    }
    for (let i = this.#batch.length - 1; i >= this.#sent; i--) {
      const { split, position } = this.#batch[i]!;
      splits.set(split.name, { ...splits.get(split.name)!, position });
    }
    const completed = () => this.#noteAt(splits);
    barrier.passed(this.#station.id, this.#index, { splits, completed });
    for (const output of this.outputs) output.barrier(barrier);
  }

  /** For whoever asks how far it is behind. Not each time: the checkpoint is what counts. */
  async #noteAt(splits: ReadonlyMap<string, SplitPosition>): Promise<void> {
    this.#complete = splits;
    const now = this.#station.worker.runtime.clock.monotonic();
    if (now < this.#noteNext) return;
    this.#noteNext = now + NOTE_EVERY;
    try {
      await this.commit();
    } catch (thrown) {
      const { worker, id } = this.#station;
      if (worker.dead) return;
      if (isFinal(thrown)) return worker.fail(thrown as MillraceError);
      worker.options.log(id, `${messageOf(thrown)}; its checkpoints go on, and it is noted with a later one`);
    }
  }

  activate(): void {
    this.#active = true;
  }
  deactivate(): void {
    this.#active = false;
    this.eventTime?.hold(true);
  }

  poll(): boolean {
    const { gate, worker } = this.#station;
    if (worker.dead) return false;
    const more = !this.#committing && !gate.closed && this.#work();
    this.#tellTime();
    this.eventTime?.hold(this.#isHeld());
    return more;
  }

  #work(): boolean {
    const { gate } = this.#station;
    if (this.queued === 0 && !this.#take()) return false;
    if (this.#committing) return false;
    // An idle split that is back is told of before its record.
    this.#tellTime();
    this.#sendBatch();
    return this.queued === 0 ? this.#ready && this.#active : !gate.closed;
  }

  /** No step while downstream is full: timers may fire there. A stop is no end of the input. */
  #tellTime(): void {
    const { gate, worker } = this.#station;
    if (gate.closed || worker.dead) return;
    this.eventTime?.tell(this.#pending === 0 && this.#active && this.exhausted, this.queued === 0);
  }

  /** No record could be taken, whatever the source had. */
  #isHeld(): boolean {
    if (!this.#active || this.#committing || this.queued > 0 || this.#station.gate.closed) return true;
    return this.#pending >= this.#maxPending || this.#failures > 0;
  }

  /** Asks the source for a batch. False: nothing came. */
  #take(): boolean {
    this.#batch.length = 0;
    this.#sent = 0;
    const room = this.#maxPending - this.#pending;
    if (!this.#active || !this.#ready || this.#sourceEnded || room <= 0) return false;
    this.#askSource(Math.min(room, BATCH));
    if (this.#tracks) this.#pauseLongSplits();
    else if (this.#notesFirst) this.#commitFirst();
    // Nothing given (all of it was rejected, say) and more to come: asked again, after everybody else.
    if (this.#ready && this.#batch.length === 0) this.#wake();
    return this.#batch.length > 0;
  }

  /** What it gave before it threw counts as given. A `wake` from within the call is not lost. */
  #askSource(max: number): void {
    this.#station.worker.stopwatch.in(this.#metrics);
    this.#metrics.ended++;
    this.#ready = false;
    try {
      if (this.#reader!.next(max)) this.#ready = true;
      this.#failures = 0;
    } catch (thrown) {
      this.#ready = false;
      this.#station.sourceFailed(thrown, ++this.#failures, () => this.#woken());
    }
  }

  #emit(split: Split, position: Position, next: Position, value: unknown, given: number): void {
    let time = given;
    if (this.#timestamps !== undefined) {
      time = this.#timestamps.of(value, given);
      if (Number.isNaN(time)) return this.#refuse(new LogRoot(this, split, position, next, value, given));
    }
    const root = new LogRoot(this, split, position, next, value, time);
    this.#track(root);
    this.#batch.push(root);
    if (split.time?.idle) this.eventTime!.isBack(split.time);
  }

  #splitEnded(split: Split): void {
    split.ended = true;
    if (split.time !== undefined) this.eventTime!.hasEnded(split.time);
  }

  #track(root: LogRoot): void {
    const { split } = root;
    split.taken = root.next;
    if (!this.#tracks) return;
    split.track(root);
    this.#pending++;
  }

  /** One record that does not end holds its split's position: what is done behind it is bounded as well. */
  #pauseLongSplits(): void {
    for (const split of this.#splits) {
      if (!split.long && split.span >= this.#maxPending) this.#pause(split, 'long', true);
    }
  }

  /** A split is paused as long as there is a reason to. */
  #pause(split: Split, reason: 'long' | 'farAhead', holds: boolean): void {
    const before = split.paused;
    split[reason] = holds;
    const { paused } = split;
    if (paused === before) return;
    if (split.time !== undefined) this.eventTime!.pause(split.time, paused);
    if (paused) return this.#reader!.pause(split.name);
    this.#reader!.resume(split.name);
    this.#woken();
  }

  /** At-most-once: what is about to be sent must never be read again. */
  #commitFirst(): void {
    const { worker } = this.#station;
    if (worker.dead || this.#moved((split) => split.taken).size === 0) return;
    this.#committing = true;
    this.#note((split) => split.taken).then(
      () => {
        this.#committing = false;
        this.#wake();
      },
      (error: MillraceError) => worker.fail(error),
    );
  }

  #sendBatch(): void {
    const { worker, gate } = this.#station;
    const batch = this.#batch;
    const time = this.eventTime;
    if (time !== undefined) time.due = true;
    const { stopwatch, runtime } = worker;
    const until = runtime.clock.monotonic() + SLICE;
    for (let sent = 1; this.#sent < batch.length && !gate.closed && !worker.dead; sent++) {
      const root = batch[this.#sent++]!;
      this.#send(root);
      if (time !== undefined) root.split.time!.sent(root.value, root.time);
      // Records that take long: timers, barriers among them, have their turn before the batch is over.
      // The stopwatch costs nothing, and stands still where there is one component only.
      if (stopwatch.now > until || (sent % LOOK === 0 && runtime.clock.monotonic() > until)) return;
    }
  }

  #send(root: LogRoot): void {
    const { worker } = this.#station;
    const output = this.outputs[0]!;
    root.since = worker.stopwatch.now;
    worker.anchor = root;
    output.add(root.value, root.time);
    output.deliver();
    root.release();
    worker.anchor = undefined;
  }

  finished(root: LogRoot): void {
    const { worker } = this.#station;
    if (worker.dead || !this.#tracks) return;
    if (root.failed) return this.#failed(root);
    this.#metrics.acked++;
    worker.stopwatch.completed(this.#metrics, root.since);
    root.done = true;
    this.#pending--;
    const { split } = root;
    split.advance();
    if (split.long && split.span * 2 <= this.#maxPending) this.#pause(split, 'long', false);
    if (this.#pending === 0 || this.#pending === this.#maxPending - 1) this.#wake();
    worker.progress();
  }
  touched(): void {}

  /** Replays a record whose tree failed, by the component's policy; in the end it goes to the ledger. */
  #failed(root: LogRoot): void {
    const { worker } = this.#station;
    this.#metrics.failed++;
    root.attempt++;
    const error = this.#station.userError(this.#index, root.cause, shown(root.value));
    const again = () => this.#replay(root);
    if (this.#station.retries(error.message, root.attempt, `replay ${root.attempt}`, again)) return;
    if (this.#station.stops(error)) return;
    root.replay(root.since);
    const { value, time } = root;
    worker.lose({ metrics: this.#metrics, input: undefined, cause: 'error', detail: error.message, value, time }, root);
    root.release();
  }

  #replay(root: LogRoot): void {
    const { worker, gate } = this.#station;
    if (worker.dead) return;
    if (gate.closed) return gate.whenOpen(() => this.#replay(root));
    root.replay(worker.stopwatch.now);
    this.#send(root);
    worker.stopwatch.stop();
    worker.progress();
  }

  /** A record without a time: `timestamps` says why. */
  #refuse(root: LogRoot): void {
    const { worker } = this.#station;
    root.since = worker.stopwatch.now;
    this.#track(root);
    this.#station.refuseTime(root.value, root.time, this.#timestamps!.refusal, root);
    root.release();
  }

  #reject(split: Split, position: Position, next: Position, rejected: Rejected): void {
    const { worker } = this.#station;
    const root = new LogRoot(this, split, position, next, rejected.payload, 0);
    root.since = worker.stopwatch.now;
    this.#track(root);
    worker.reject(this.#metrics, rejected, root);
    root.release();
  }

  async commit(): Promise<void> {
    const complete = this.#complete;
    if (this.#tracks) await this.#note((split) => split.done);
    else if (complete !== undefined) await this.#note((split) => complete.get(split.name)?.position);
    else await this.#lastCommit;
  }

  noteTaken(): Promise<void> {
    return this.#note((split) => split.taken);
  }

  #note(positionOf: (split: Split) => Position | undefined): Promise<void> {
    const noting = this.#lastCommit.then(async () => {
      const positions = this.#moved(positionOf);
      if (positions.size === 0 || this.#station.worker.dead) return;
      try {
        await this.#reader!.commit(positions);
      } catch (thrown) {
        throw this.#station.sourceError(thrown);
      }
      for (const split of this.#splits) split.committed = positions.get(split.name) ?? split.committed;
    });
    this.#lastCommit = noting.catch(() => {}); // whoever asked for it hears of the failure
    return noting;
  }

  /** The positions that the source has not noted yet. */
  #moved(positionOf: (split: Split) => Position | undefined): ReadonlyMap<string, Position> {
    const positions = new Map<string, Position>();
    for (const split of this.#splits) {
      const position = positionOf(split);
      if (position !== undefined && position !== split.committed) positions.set(split.name, position);
    }
    return positions;
  }

  async close(): Promise<void> {
    await this.#reader?.close?.();
  }

  #woken(): void {
    this.#ready = true;
    this.#wake();
  }
}

/** The source says itself that it will not take it later either: it must be opened anew, by another start. */
function isFinal(thrown: unknown): boolean {
  const { cause } = thrown as { readonly cause?: unknown };
  return (cause as { readonly retriable?: unknown } | undefined)?.retriable === false;
}
