/**
 * Makes the checkpoints of a running topology, one after the other: sends the barrier, saves what the tasks give, completes it,
 * and hands the outputs to be published. A checkpoint that is too slow, or that the disk refuses, is given up, and what it had
 * goes into the next one: nothing of it is lost, it only is later.
 */
import type { CheckpointFacts, CheckpointInfo } from '../../checkpoints/checkpoint-store.ts';
import { formatDuration } from '../../duration.ts';
import { MillraceError, messageOf } from '../../errors.ts';
import type { Epoch } from '../../topology/epoch.ts';
import type { CheckpointOptions } from '../engine-options.ts';
import { Histogram } from '../histogram.ts';
import type { CheckpointStatus, CompletedCheckpoint } from '../running.ts';
import type { Station } from '../station.ts';
import type { Worker } from '../worker.ts';
import { Publisher } from './publisher.ts';
import type { Given, Said } from './round.ts';
import { Round } from './round.ts';
import type { TakenOver } from './take-over.ts';

/** Why checkpoints fail is said again after this long (ms). */
const AGAIN = 60_000;

interface Waiter {
  /** The first round that counts. */
  readonly from: number;
  readonly resolve: (epoch: Epoch) => void;
  readonly reject: (cause: unknown) => void;
}

export class Checkpointing {
  readonly #worker: Worker;
  readonly #stations: readonly Station[];
  readonly #options: CheckpointOptions;
  readonly #publisher: Publisher;
  readonly #incarnation: number;
  readonly #restored: Epoch | undefined;
  /** The last one that was completed, or what this start went on from. */
  #parent: Epoch | undefined;
  #number: number;
  readonly #sources: CheckpointFacts['sources'];
  #round: Round | undefined;
  /** What belongs to rounds that were given up. */
  #carried: Given = nothing();
  /** Components to be saved whole, until a round is completed. */
  #whole: ReadonlySet<string>;
  /** What the tasks said in the last one that was completed. */
  #said = '';
  /** Bytes that have come into the outbox since the last barrier. */
  #epochBytes = 0;
  /** A task waits for the next one. */
  #isAskedFor = false;
  /** When the next one begins, monotonic; Infinity where none is to. */
  #beginsAt = Infinity;
  #cancelNext: () => void = () => {};
  #cancelTimeout: () => void = () => {};
  #stopped = false;
  /** The next one is the last: there is nothing to go on with after it. */
  #finishes = false;
  #last: CompletedCheckpoint | undefined;
  #completed = 0;
  #failed = 0;
  /** Why they fail, when that was said (monotonic), and how many have failed since. Undefined since one was completed. */
  #told: { readonly why: string; readonly at: number; since: number } | undefined;
  readonly #took = new Histogram();
  #waiters: Waiter[] = [];

  constructor(worker: Worker, stations: readonly Station[], options: CheckpointOptions, taken: TakenOver) {
    const { incarnation, restored, parent, number, sources, sinks, unpublished, savesWhole } = taken;
    this.#worker = worker;
    this.#stations = stations;
    this.#options = options;
    this.#incarnation = incarnation;
    this.#restored = restored;
    this.#parent = parent;
    this.#number = number;
    this.#sources = sources;
    this.#whole = new Set(savesWhole ? stations.map(({ id }) => id) : []);
    this.#publisher = new Publisher(worker, options.outbox, (epoch) => options.store.published(epoch));
    worker.checkpointSoon = () => {
      this.#isAskedFor = true;
      this.#beginLater(0);
    };
    for (const { station, writer } of sinks) this.#publisher.add(station, writer);
    for (const { epoch, outputs } of unpublished) {
      for (const { bytes } of outputs.values()) this.#publisher.grew(bytes);
      this.#publisher.publish(epoch, outputs);
    }
  }

  start(): void {
    this.#beginLater(this.#options.interval);
  }

  /** Bytes have come into the outbox. At the bound the epoch is cut early. */
  grew(bytes: number): void {
    this.#publisher.grew(bytes);
    this.#epochBytes += bytes;
    if (this.#epochBytes - bytes < this.#options.outbox.bytes && this.#isUrgent) this.#beginLater(0);
  }

  status(): CheckpointStatus {
    const round = this.#round;
    const now = this.#worker.runtime.clock.monotonic();
    return {
      interval: this.#options.interval,
      incarnation: this.#incarnation,
      restored: this.#restored,
      last: this.#last,
      current: round && { number: round.number, since: now - round.since, waitsFor: round.waitsFor },
      completed: this.#completed,
      failed: this.#failed,
      took: this.#took.snapshot(),
      unpublished: { epochs: this.#publisher.epochs, bytes: this.#publisher.bytes },
    };
  }

  /** Makes one of what has come until now. Resolves when it is durable and its outputs are published. */
  async checkpoint(): Promise<Epoch> {
    if (this.#stopped || this.#worker.dead) throw hasEnded();
    const epoch = await new Promise<Epoch>((resolve, reject) => {
      this.#waiters.push({ from: this.#number, resolve, reject });
      if (this.#round === undefined) this.#beginLater(0);
    });
    await this.#publisher.settled();
    if (this.#worker.dead) throw hasEnded();
    return epoch;
  }

  /** Sees to it that there is one to go on with, should the last one not be completed. */
  async first(): Promise<void> {
    if (this.#completed === 0) await this.checkpoint();
  }

  /** The last one, when nothing is under way any more. `finishes`: the next start begins anew. */
  async last(finishes: boolean): Promise<void> {
    this.#finishes = finishes;
    await this.checkpoint();
    this.#stopped = true;
    this.#cancelNext();
  }

  /** The topology has ended, however it did. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#cancelNext();
    this.#cancelTimeout();
    for (const { reject } of this.#waiters.splice(0)) reject(hasEnded());
    await this.#publisher.close();
  }

  /** Somebody waits for the next one, or the outbox does. */
  get #isUrgent(): boolean {
    return this.#isAskedFor || this.#waiters.length > 0 || this.#epochBytes >= this.#options.outbox.bytes;
  }

  /** Never later than was said before: whoever asks again and again must not put it off. */
  #beginLater(ms: number): void {
    const { clock, timers } = this.#worker.runtime;
    const at = clock.monotonic() + ms;
    if (this.#round !== undefined || this.#stopped || at >= this.#beginsAt) return;
    this.#cancelNext();
    this.#beginsAt = at;
    this.#cancelNext = timers.after(ms, () => this.#begin());
  }

  /** From outside of any step. */
  #begin(): void {
    this.#beginsAt = Infinity;
    if (this.#worker.dead || this.#stopped) return;
    const round = new Round({
      worker: this.#worker,
      number: this.#number++,
      finishes: this.#finishes,
      tasks: this.#stations.flatMap(({ id, spouts, tasks }) =>
        [...spouts, ...tasks].map((_, task) => [id, task] as const),
      ),
      whole: this.#whole,
      sources: this.#sources,
      carried: this.#carried,
      everywhere: () => this.#worker.runtime.timers.soon(() => void this.#save(round)),
    });
    this.#round = round;
    this.#carried = nothing();
    this.#epochBytes = 0;
    this.#isAskedFor = false;
    this.#cancelTimeout = this.#worker.runtime.timers.after(this.#options.timeout, () => this.#tooSlow(round));
    this.#worker.stepAlone(undefined, () => {
      for (const { spouts } of this.#stations) for (const spout of spouts) spout.barrier(round);
    });
  }

  /** What it had goes into the next one, which begins when the barrier has been everywhere. */
  #tooSlow(round: Round): void {
    if (this.#worker.dead) return;
    round.giveUp();
    const why = round.waitsFor.length > 0 ? `it waits for ${round.waitsFor.join(', ')}` : 'it is still being saved';
    const after = formatDuration(this.#options.timeout);
    this.#worker.options.log(
      undefined,
      `checkpoint ${round.number} is given up after ${after}: ${why}; its epoch goes on into the next`,
    );
  }

  async #save(round: Round): Promise<void> {
    const worker = this.#worker;
    if (worker.dead) return;
    const said = round.said();
    const text = JSON.stringify([said.sources, said.watermarks]);
    let info: CheckpointInfo | undefined;
    try {
      const isAskedFor = this.#parent === undefined && this.#waiters.some(({ from }) => from <= round.number);
      const hasOutputs = Object.keys(said.outputs).length > 0;
      const news = text !== this.#said || hasOutputs || round.finishes || this.#whole.size > 0 || isAskedFor;
      const saved = round.givenUp ? 'given up' : await round.save(this.#options.store, news);
      if (worker.dead) return;
      if (saved === 'given up') return this.#failedWith(round, new Error('it took too long'));
      this.#cancelTimeout();
      if (saved !== 'nothing') info = await saved.complete(this.#factsOf(round, said));
    } catch (thrown) {
      if (!worker.dead) this.#refused(round, thrown);
      return;
    }
    // From here on nothing of it may go into the next one.
    if (worker.dead) return;
    if (info !== undefined) {
      this.#said = text;
      this.#whole = new Set();
      this.#note(round, info);
    }
    this.#end(round, this.#parent);
  }

  #factsOf({ finishes }: Round, said: Said): CheckpointFacts {
    const { topology, runtime } = this.#worker;
    return { topology, at: runtime.clock.now(), parent: this.#parent, ...said, finished: finishes };
  }

  #note(round: Round, { epoch, bytes, keys }: CheckpointInfo): void {
    const { clock } = this.#worker.runtime;
    const took = clock.monotonic() - round.since;
    if (this.#told !== undefined)
      this.#worker.options.log(undefined, `checkpoint ${epoch.number} is complete again, with all that was put off`);
    this.#told = undefined;
    this.#parent = epoch;
    this.#completed++;
    this.#took.record(took);
    this.#last = { epoch, at: clock.now(), took, bytes, keys };
    const outputs = new Map(
      [...round.given.outputs].map(([sink, chunks]) => [
        sink,
        {
          entries: chunks.flatMap(({ entries }) => entries),
          times: chunks.flatMap(({ times }) => times),
          bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes.byteLength, 0),
        },
      ]),
    );
    this.#publisher.publish(epoch, outputs);
  }

  /** It is complete, or there was nothing to complete. */
  #end(round: Round, epoch: Epoch | undefined): void {
    for (const completed of round.given.completed.values()) {
      Promise.resolve(completed()).catch((thrown: unknown) => this.#worker.fail(thrown as MillraceError));
    }
    for (const { resolve } of this.#takeWaiters(round)) resolve(epoch!);
    this.#next(round);
  }

  #refused(round: Round, thrown: unknown): void {
    if (thrown instanceof MillraceError && thrown.code === 'MR_SUPERSEDED') return this.#worker.fail(thrown);
    this.#tell(round, messageOf(thrown));
    this.#failedWith(round, thrown);
  }

  /** A disk may refuse many times a second, for hours. */
  #tell({ number }: Round, why: string): void {
    const now = this.#worker.runtime.clock.monotonic();
    const told = this.#told;
    if (told?.why === why && now - told.at < AGAIN) return void told.since++;
    const since = told?.why === why ? `, as ${told.since} more have since it was said last` : '';
    this.#worker.options.log(undefined, `checkpoint ${number} failed${since}: ${why}; its epoch goes on into the next`);
    this.#told = { why, at: now, since: 0 };
  }

  #failedWith(round: Round, thrown: unknown): void {
    round.giveUp();
    this.#failed++;
    this.#carried = round.given;
    for (const { reject } of this.#takeWaiters(round)) reject(thrown);
    this.#next(round);
  }

  /** Those for whom this one counts. They wait no more. */
  #takeWaiters({ number }: Round): readonly Waiter[] {
    const due = this.#waiters.filter(({ from }) => from <= number);
    this.#waiters = this.#waiters.filter(({ from }) => from > number);
    return due;
  }

  #next(round: Round): void {
    const { interval, pause } = this.#options;
    this.#cancelTimeout();
    this.#round = undefined;
    const since = this.#worker.runtime.clock.monotonic() - round.since;
    this.#beginLater(this.#isUrgent ? 0 : Math.max(pause, interval - since));
    this.#worker.progress();
  }
}

function hasEnded(): TypeError {
  return new TypeError('the topology has ended');
}

function nothing(): Given {
  return { outputs: new Map(), completed: new Map() };
}
