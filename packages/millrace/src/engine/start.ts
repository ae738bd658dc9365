/** Starts a topology on this worker and follows it to its end: active, draining, and completed, stopped, killed or failed. */
import type { CheckpointStore } from '../checkpoints/checkpoint-store.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { KeyContent } from '../state/keyed-store.ts';
import { Timestamps } from '../time/timestamps.ts';
import type { Epoch } from '../topology/epoch.ts';
import { epochText } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import type { Receipt } from '../topology/receipt.ts';
import { receiptOf } from '../topology/receipt.ts';
import type { Built } from '../topology/topology.ts';
import { assemble, edgeTo, findSplits } from './assemble.ts';
import { Checkpointing } from './checkpoints/checkpointing.ts';
import { takeOver } from './checkpoints/take-over.ts';
import type { EngineOptions } from './engine-options.ts';
import { Explainer } from './explainer.ts';
import type { ComponentEventTime, Explanation } from './explanation.ts';
import { Loop } from './loop.ts';
import { StreamMetrics } from './metrics.ts';
import { Output } from './output.ts';
import type { Asked, CheckpointStatus, Running, StopOptions, TopologyMetrics, TopologyState } from './running.ts';
import { Standstill } from './standstill.ts';
import type { EngineTask, Station } from './station.ts';
import { ReplayRoot } from './tree.ts';
import { Worker } from './worker.ts';

/** Positions that are done are written down this often (ms), and at a stop. */
const COMMIT_EVERY = 1000;
/** A bolt that holds its tuples longer than this (ms) after a flush no longer keeps a stop waiting. */
const DRAIN_LIMIT = 30_000;

/** Opens everything, downstream first, and starts the spouts. Rejects when something cannot be opened. */
export async function startTopology(built: Built, options: EngineOptions): Promise<Running> {
  const running = new RunningTopology(built, options);
  await running.open(built);
  running.start();
  return running;
}

class RunningTopology implements Running {
  readonly name: string;
  readonly receipt: Receipt;
  readonly done: Promise<void>;
  readonly #worker: Worker;
  readonly #options: EngineOptions;
  readonly #startedAt: number;
  #stations: readonly Station[] = [];
  #explainer!: Explainer;
  #loop: Loop | undefined;
  #checkpointing: Checkpointing | undefined;
  #state: TopologyState = 'active';
  /** Whoever opens closes, too, where it fails. */
  #opening = true;
  #ending = false;
  #cancelCommit: () => void = () => {};
  #settle!: { resolve: () => void; reject: (cause: unknown) => void };

  constructor(built: Built, options: EngineOptions) {
    this.name = built.plan.name;
    this.receipt = receiptOf(built, options.guarantee);
    this.#options = options;
    this.#startedAt = options.runtime.clock.monotonic();
    if (options.guarantee === 'exactly-once' && options.checkpoints === undefined)
      throw new MillraceError('MR_GUARANTEE', [options.guarantee, this.name, ['no checkpoints are kept']]);
    this.#worker = new Worker(this.name, options, keptBy(this.receipt, options), (cause) => void this.#fail(cause));
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.done.catch(() => {}); // whoever waits for it hears of the failure
  }

  get state(): TopologyState {
    return this.#state;
  }

  async open(built: Built): Promise<void> {
    try {
      const splits = await findSplits(built, this.#worker);
      const outbox = this.#publishesEpochs ? (bytes: number) => this.#checkpointing!.grew(bytes) : undefined;
      this.#stations = assemble(built, this.#worker, splits, () => this.#loop?.wake(), outbox);
      const { checkpoints } = this.#options;
      if (this.#worker.keeps === 'checkpoints') {
        const taken = await takeOver(built, this.#stations, this.#worker, checkpoints!);
        this.#checkpointing = new Checkpointing(this.#worker, this.#stations, checkpoints!, taken);
      } else if (checkpoints !== undefined) await expectNoneKept(this.name, checkpoints.store);
      this.#explainer = new Explainer(
        this.#stations,
        () => this.#options.runtime.clock.now(),
        () => this.#state === 'inactive',
      );
      for (const station of [...this.#stations].reverse()) {
        for (const task of [...station.tasks, ...station.spouts]) {
          await task.open();
          // What an earlier start has left to publish is published meanwhile, and may fail.
          if (this.#worker.dead) await this.done;
        }
      }
      this.#opening = false;
    } catch (thrown) {
      this.#worker.dead = true;
      await this.#close(true);
      throw thrown;
    }
  }

  start(): void {
    const spouts = this.#stations.flatMap((station) => station.spouts);
    this.#loop = new Loop(this.#worker, spouts, () => {
      if (this.#exhausted()) this.#end('completed', true);
    });
    if (this.#checkpointing === undefined) this.#commitLater();
    else this.#checkpointing.start();
    new Standstill(this.#stations, (component) => this.explain(component)).start(() => this.#state === 'active');
    this.#loop.start();
  }

  explain(component: string, asked?: Asked): Explanation {
    return this.#explainer.explain(component, asked);
  }
  eventTime(): readonly ComponentEventTime[] {
    return this.#explainer.overview();
  }
  readState(component: string, key: Key): KeyContent | undefined {
    return this.#explainer.readState(component, key);
  }
  stateKeys(component: string, most: number): readonly Key[] {
    return this.#explainer.stateKeys(component, most);
  }

  checkpoints(): CheckpointStatus | undefined {
    return this.#checkpointing?.status();
  }
  async checkpoint(): Promise<Epoch> {
    if (this.#checkpointing === undefined) throw new MillraceError('MR_NO_CHECKPOINTS', [this.name]);
    return this.#checkpointing.checkpoint();
  }

  metrics(): TopologyMetrics {
    const now = this.#worker.runtime.clock.monotonic();
    this.#worker.stopwatch.stop();
    const components = this.#stations.map((station) => station.snapshot(now));
    return { topology: this.name, state: this.#state, uptime: now - this.#startedAt, components };
  }

  activate(): void {
    if (this.#state !== 'inactive') return;
    this.#state = 'active';
    for (const { spouts } of this.#stations) for (const spout of spouts) spout.activate();
    this.#loop!.wake();
  }

  deactivate(): void {
    if (this.#state !== 'active') return;
    this.#state = 'inactive';
    this.#silence();
  }

  stop({ drain = false }: StopOptions = {}): Promise<void> {
    this.#end('stopped', drain);
    return this.done;
  }

  async kill(): Promise<void> {
    if (this.#worker.dead || isOver(this.#state)) return;
    this.#worker.dead = true;
    this.#state = 'killed';
    await this.#close(true);
    this.#worker.progress();
    this.#settle.resolve();
  }

  async replay(component: string, input: string | undefined, value: unknown, time: number): Promise<void> {
    const station = this.#stations.find(({ id }) => id === component);
    if (station === undefined) throw new TypeError(`there is no component '${component}'`);
    if (this.#worker.dead) throw new TypeError(`'${this.name}' is ${this.#state}: nothing can be replayed`);
    const output = station.component.kind === 'spout' ? station.spouts[0]!.outputs[0]! : this.#entrance(station, input);
    const at = station.component.kind === 'spout' ? this.#timeOf(station, value, time) : time;
    await new Promise<void>((resolve, reject) => {
      const root = new ReplayRoot(this.#worker.stopwatch.now, (failed, cause) => (failed ? reject(cause) : resolve()));
      this.#worker.stepAlone(root, () => {
        output.add(value, at);
        output.deliver();
      });
      root.release();
    });
    // What it changed must be kept before it is forgotten where it came from.
    if (this.#checkpointing !== undefined) await this.#checkpointing.checkpoint();
  }

  /** A record that comes back to its spout is asked for its time anew: that may be what was wrong with it. */
  #timeOf({ id, component, timed }: Station, value: unknown, given: number): number {
    const timestamps = Timestamps.for(component.settings.time!, timed, this.#worker.runtime.clock);
    if (timestamps === undefined) return given;
    const time = timestamps.of(value, given);
    if (Number.isNaN(time)) throw new MillraceError('MR_LOST_AGAIN', [id, timestamps.refusal]);
    return time;
  }

  /** An output in front of one input of a component. */
  #entrance(station: Station, name: string | undefined): Output {
    const input = station.component.inputs.find((i) => i.name === name);
    if (input === undefined) throw new TypeError(`'${station.id}' has no input '${name ?? '(unnamed)'}'`);
    const output = new Output(new StreamMetrics('replay'), false, station.freeze);
    output.edges.push(edgeTo(station, input));
    return output;
  }

  /** Spouts give nothing more; what they have given already is still sent off. */
  #silence(): void {
    for (const { spouts } of this.#stations) for (const spout of spouts) spout.deactivate();
  }

  #exhausted(): boolean {
    return this.#stations.every(({ spouts }) => spouts.every((spout) => spout.exhausted));
  }

  /** Drains, once, whoever asks first. What goes wrong on the way is how the topology ends. */
  #end(how: 'completed' | 'stopped', endsTime: boolean): void {
    if (this.#ending || this.#worker.dead) return;
    this.#ending = true;
    this.#drain(how, endsTime).catch((thrown: unknown) => this.#fail(thrown));
  }

  async #drain(how: 'completed' | 'stopped', endsTime: boolean): Promise<void> {
    this.#state = 'draining';
    if (how === 'stopped') this.#silence();
    this.#loop!.wake();
    for (let held = true; held && !this.#worker.dead; ) {
      await this.#worker.until(() => this.#stations.every(({ spouts }) => spouts.every((s) => s.queued === 0)));
      const finished = await this.#flushAll();
      held = finished && how === 'completed' && this.#isPending();
      // A replay is to come: once it is inside, it may need a flush again.
      if (held) await this.#worker.until(() => this.#stations.some((s) => s.isWorking) || !this.#isPending());
    }
    if (this.#worker.dead) return;
    if (endsTime) await this.#checkpointing?.first();
    if (endsTime) await this.#endTime();
    if (this.#worker.dead) return;
    this.#loop!.stop();
    this.#cancelCommit();
    if (endsTime && this.#checkpointing !== undefined) await this.#noteEnd();
    if (this.#worker.dead) return;
    await this.#checkpointing?.last(endsTime);
    if (this.#worker.dead) return;
    await Promise.all(this.#stations.flatMap(({ spouts }) => spouts.map((spout) => spout.commit())));
    if (this.#worker.dead) return;
    this.#state = how;
    this.#worker.dead = true;
    await this.#close(false);
    this.#settle.resolve();
  }

  /**
   * After the last checkpoint of all a start begins where the sources say: they must know before it is complete. Until then it
   * goes on from the one before, wherever they say.
   */
  async #noteEnd(): Promise<void> {
    await Promise.all(this.#stations.flatMap(({ spouts }) => spouts.map((spout) => spout.noteTaken?.())));
  }

  /** No record will come any more: all windows close and all event timers are told (law 7). */
  async #endTime(): Promise<void> {
    for (const { spouts } of this.#stations) for (const spout of spouts) spout.eventTime?.end();
    await this.#flushAll();
  }

  /** Something may be replayed. What waits for a checkpoint to be complete is not. */
  #isPending(): boolean {
    return this.#worker.keeps === 'acking' && this.#stations.some((station) => station.pending > 0);
  }

  /** Flushes component by component, upstream first. False when one kept its tuples beyond the limit. */
  async #flushAll(): Promise<boolean> {
    let all = true;
    for (const { id, gate, tasks } of this.#stations) {
      for (const task of tasks) {
        await this.#worker.until(() => task.idle && !gate.closed);
        if (this.#worker.dead) return false;
        if (await this.#flush(task)) continue;
        all = false;
        this.#options.log(id, 'still holds tuples that it neither acked nor failed; they are not committed');
      }
    }
    await this.#worker.until(() => this.#worker.recording === 0);
    return all;
  }

  /** Flushes until nothing is held. False when the task is idle, and yet holds tuples beyond the limit. */
  async #flush(task: EngineTask): Promise<boolean> {
    task.flush();
    let late = false;
    const cancel = this.#worker.runtime.timers.after(DRAIN_LIMIT, () => {
      late = true;
      this.#worker.progress();
    });
    while (task.queued > 0 && !(late && task.idle) && !this.#worker.dead) {
      await this.#worker.nextProgress();
      if (task.idle && !this.#worker.dead) task.flush();
    }
    cancel();
    return task.queued === 0;
  }

  #commitLater(): void {
    this.#cancelCommit = this.#worker.runtime.timers.after(COMMIT_EVERY, async () => {
      if (this.#worker.dead) return;
      try {
        for (const { spouts } of this.#stations) for (const spout of spouts) await spout.commit();
      } catch (thrown) {
        return void this.#fail(thrown);
      }
      if (!this.#worker.dead && !isOver(this.#state)) this.#commitLater();
    });
  }

  async #fail(cause: MillraceError | unknown): Promise<void> {
    if (isOver(this.#state)) return;
    this.#worker.dead = true;
    this.#state = 'failed';
    this.#worker.progress();
    if (!this.#opening) await this.#close(true);
    this.#settle.reject(cause);
  }

  async #close(now: boolean): Promise<void> {
    this.#loop?.stop();
    this.#worker.cancelTimers();
    await this.#closing('checkpoints', () => this.#checkpointing?.close());
    for (const station of this.#stations) {
      for (const task of [...station.spouts, ...station.tasks]) {
        await this.#closing(station.id, () => task.close(now));
      }
    }
  }

  async #closing(what: string, close: () => void | Promise<void>): Promise<void> {
    try {
      await close();
    } catch (thrown) {
      this.#options.log(what, `while closing: ${messageOf(thrown)}`);
    }
  }

  /** Transactional sinks publish when a checkpoint is durable. */
  get #publishesEpochs(): boolean {
    return this.#worker.keeps === 'checkpoints' && this.receipt.asked !== 'at-least-once';
  }
}

/** Without checkpoints the sources would move on, and the next start with checkpoints would go back to where the last one was. */
async function expectNoneKept(topology: string, store: CheckpointStore): Promise<void> {
  const [newest] = await store.completed();
  if (newest !== undefined && !newest.facts.finished)
    throw new MillraceError('MR_CHECKPOINTS_KEPT', [topology, epochText(newest.epoch)]);
}

/** How it is kept what the receipt says; without a place for checkpoints, as far as trees of tuples can. */
function keptBy({ keeps }: Receipt, { checkpoints }: EngineOptions): Receipt['keeps'] {
  return keeps === 'checkpoints' && checkpoints === undefined ? 'acking' : keeps;
}

function isOver(state: TopologyState): boolean {
  return state === 'completed' || state === 'stopped' || state === 'killed' || state === 'failed';
}
