/**
 * A task of a queue spout: what it emits is sent off in order while there is room, and each tuple with a message id ends
 * with exactly one `ack` or `fail`. A tuple that stays silent for its message timeout fails: within [T, 2T], as in
 * Storm. At-most-once acks when a tuple is sent off; where checkpoints are kept, when the one behind it is complete. For event time the task is one split.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Origin } from '../ledger/ledger.ts';
import type { SourceTime } from '../time/source-time.ts';
import type { SplitWatermark } from '../time/split-watermark.ts';
import { Timestamps } from '../time/timestamps.ts';
import type { MessageId, QueueReader, Rejected, SpoutCode } from '../topology/spout.ts';
import type { Task } from '../topology/task.ts';
import type { Barrier } from './barrier.ts';
import { Fifo } from './fifo.ts';
import type { Metrics } from './metrics.ts';
import type { Output } from './output.ts';
import { byStream } from './output.ts';
import type { SpoutTask } from './spout-task.ts';
import type { Station } from './station.ts';
import type { TreeOwner } from './tree.ts';
import { Root } from './tree.ts';

type QueueCode = Extract<SpoutCode, { readonly kind: 'queue' }>;

class QueueRoot extends Root {
  readonly spout: string;
  readonly id: MessageId | undefined;
  /** Timed out: the spout has been told, and what comes later counts no more. */
  over = false;
  readonly #owner: TreeOwner<QueueRoot>;

  constructor(owner: TreeOwner<QueueRoot>, spout: string, id: MessageId | undefined, since: number) {
    super(since);
    this.#owner = owner;
    this.spout = spout;
    this.id = id;
  }
  get origin(): Origin | undefined {
    return this.id === undefined ? undefined : { spout: this.spout, split: String(this.id), position: 0 };
  }
  touch(): void {
    if (this.id !== undefined) this.#owner.touched(this);
  }
  protected end(): void {
    if (this.id !== undefined && !this.over) this.#owner.finished(this);
  }
}

interface Emitted {
  readonly output: Output;
  readonly value: unknown;
  readonly time: number;
  readonly id: MessageId | undefined;
  readonly task: number | undefined;
}

export class QueueSpoutTask implements SpoutTask, TreeOwner<QueueRoot> {
  readonly outputs: readonly Output[];
  readonly #station: Station;
  readonly #metrics: Metrics;
  readonly #index: number;
  readonly #code: QueueCode;
  readonly #wake: () => void;
  readonly #context: Task;
  readonly #tracks: boolean;
  /** Where checkpoints are kept: sent off, to be acked when a checkpoint behind them is complete. */
  readonly #unacked: Fifo<MessageId> | undefined;
  /** How many have been acked so. */
  #acked = 0;
  readonly eventTime: SourceTime | undefined;
  readonly #split: SplitWatermark | undefined;
  readonly #timestamps: Timestamps | undefined;
  #reader: QueueReader | undefined;
  /** Not sent off yet. */
  readonly #emitted = new Fifo<Emitted>();
  #young = new Set<QueueRoot>();
  #old = new Set<QueueRoot>();
  #cancelTimer: (() => void) | undefined;
  #ready = true;
  #active = true;
  #over = false;
  #farAhead = false;
  #failures = 0;

  constructor(station: Station, index: number, firstId: number, code: QueueCode, wake: () => void) {
    this.#station = station;
    this.#metrics = station.metrics;
    this.#index = index;
    this.#code = code;
    this.#wake = wake;
    this.outputs = station.makeOutputs();
    this.#context = station.taskContext(index, firstId);
    this.#tracks = station.worker.keeps === 'acking';
    this.#unacked = station.worker.keeps === 'checkpoints' ? new Fifo() : undefined;
    this.#timestamps = Timestamps.for(station.component.settings.time!, station.timed, station.worker.runtime.clock);
    const align = (_: string, farAhead: boolean) => this.#align(farAhead);
    this.eventTime = station.sourceTime([`task ${index}`], this.outputs, { wake, align });
    this.#split = this.eventTime?.splits[0];
  }

  get exhausted(): boolean {
    return this.#over && this.queued === 0;
  }
  get pending(): number {
    return this.#tracked + (this.#unacked?.length ?? 0);
  }
  get #tracked(): number {
    return this.#young.size + this.#old.size;
  }
  get #isFull(): boolean {
    return this.pending >= this.#station.component.settings.maxPending;
  }
  get queued(): number {
    return this.#emitted.length;
  }

  async open(): Promise<void> {
    const context = {
      ...this.#context,
      emit: this.#emitters(),
      reject: (rejected: Rejected) => this.#station.worker.reject(this.#metrics, rejected, undefined),
      wake: () => this.#woken(),
      end: () => {
        this.#over = true;
        if (this.#split !== undefined) this.eventTime!.hasEnded(this.#split);
        this.#woken();
      },
    };
    this.#reader = await this.#code.open(context as never);
  }

  activate(): void {
    this.#active = true;
    this.#reader?.activate?.();
  }
  deactivate(): void {
    this.#active = false;
    this.eventTime?.hold(true);
    this.#reader?.deactivate?.();
  }

  poll(): boolean {
    const { gate, worker } = this.#station;
    if (worker.dead) return false;
    const more = !gate.closed && this.#work();
    this.#tellTime();
    this.eventTime?.hold(this.#isHeld());
    return more;
  }

  #work(): boolean {
    const { gate } = this.#station;
    if (this.queued === 0) this.#take();
    if (this.queued === 0) return false;
    if (this.#split?.idle) this.eventTime!.isBack(this.#split);
    this.#tellTime();
    this.#sendEmitted();
    return this.queued === 0 ? this.#ready && this.#active : !gate.closed;
  }

  /** No step while downstream is full: timers may fire there. A stop is no end of the input. */
  #tellTime(): void {
    const { gate, worker } = this.#station;
    if (gate.closed || worker.dead) return;
    this.eventTime?.tell(this.#tracked === 0 && this.#active && this.exhausted, this.queued === 0);
  }

  /** No tuple could be taken, whatever the source had. */
  #isHeld(): boolean {
    if (!this.#active || this.queued > 0 || this.#station.gate.closed) return true;
    return this.#isFull || this.#failures > 0;
  }

  /** Event time of this task is too far ahead of the slowest one's, or is no longer. */
  #align(farAhead: boolean): void {
    this.#farAhead = farAhead;
    this.eventTime!.pause(this.#split!, farAhead);
    if (!farAhead) this.#wake();
  }

  #take(): void {
    if (!this.#active || !this.#ready || this.#over || this.#farAhead || this.#isFull) return;
    this.#ready = false;
    this.#call(() => {
      if (this.#reader!.nextTuple() !== false) this.#ready = true;
    });
    // Nothing given and nothing said: asked again after the other tasks and the event loop have had their turn.
    if (this.#ready && this.queued === 0) this.#wake();
  }

  #sendEmitted(): void {
    const { worker, gate } = this.#station;
    if (this.eventTime !== undefined) this.eventTime.due = true;
    // What `ack` and `fail` add meanwhile has its turn later: a tuple that fails at once must not keep the thread.
    for (let left = this.#emitted.length; left > 0 && !gate.closed && !worker.dead; left--) {
      this.#send(this.#emitted.shift()!);
    }
  }

  #send({ output, value, time: given, id, task }: Emitted): void {
    const { worker } = this.#station;
    const tracked = this.#tracks ? id : undefined;
    if (tracked === undefined && id !== undefined) {
      if (this.#unacked === undefined) this.#call(() => this.#reader!.ack?.(id));
      else this.#keepUntilComplete(id, this.#unacked);
    }
    const root = new QueueRoot(this, this.#station.id, tracked, worker.stopwatch.now);
    if (tracked !== undefined) this.#enter(root);
    const time = this.#timestamps === undefined ? given : this.#timestamps.of(value, given);
    if (this.#timestamps !== undefined && Number.isNaN(time)) {
      this.#station.refuseTime(value, given, this.#timestamps.refusal, root);
      return root.release();
    }
    worker.anchor = root;
    output.add(value, time, task);
    output.deliver();
    root.release();
    worker.anchor = undefined;
    this.#split?.sent(value, time);
  }

  barrier(barrier: Barrier): void {
    const upTo = this.#acked + (this.#unacked?.length ?? 0);
    const completed = () => this.#ackUpTo(upTo);
    barrier.passed(this.#station.id, this.#index, { completed });
    for (const output of this.outputs) output.barrier(barrier);
  }

  /** As many as may be pending wait for the next checkpoint: it must not take its time. */
  #keepUntilComplete(id: MessageId, unacked: Fifo<MessageId>): void {
    unacked.push(id);
    if (this.#isFull) this.#station.worker.checkpointSoon();
  }

  #ackUpTo(upTo: number): void {
    const wasFull = this.#isFull;
    for (; this.#acked < upTo; this.#acked++) {
      const id = this.#unacked!.shift()!;
      this.#metrics.acked++;
      this.#call(() => this.#reader!.ack?.(id));
    }
    if (wasFull) this.#wake();
  }

  finished(root: QueueRoot): void {
    const { worker } = this.#station;
    if (worker.dead) return;
    this.#leave(root);
    if (root.failed) return this.#failed(root, root.cause);
    this.#metrics.acked++;
    worker.stopwatch.completed(this.#metrics, root.since);
    this.#call(() => this.#reader!.ack?.(root.id!));
    this.#left();
  }

  touched(root: QueueRoot): void {
    if (this.#old.delete(root)) this.#young.add(root);
  }

  #failed(root: QueueRoot, cause: unknown): void {
    this.#metrics.failed++;
    this.#station.worker.options.log(this.#station.id, `tuple ${JSON.stringify(root.id)} failed: ${messageOf(cause)}`);
    this.#call(() => this.#reader!.fail?.(root.id!));
    this.#left();
  }

  #left(): void {
    const { settings } = this.#station.component;
    if (this.#tracked === 0 || this.pending === settings.maxPending - 1) this.#wake();
    this.#station.worker.progress();
  }

  #enter(root: QueueRoot): void {
    this.#young.add(root);
    this.#cancelTimer ??= this.#station.worker.runtime.timers.after(
      this.#station.component.settings.messageTimeout,
      () => this.#rotate(),
    );
  }
  #leave(root: QueueRoot): void {
    if (!this.#young.delete(root)) this.#old.delete(root);
  }

  /** Every T: what was old has been silent for T at least and 2T at most, and fails. */
  #rotate(): void {
    const { worker, component, id } = this.#station;
    if (worker.dead) return;
    const late = this.#old;
    this.#old = this.#young;
    this.#young = new Set();
    const { messageTimeout } = component.settings;
    this.#cancelTimer =
      this.#old.size > 0 ? worker.runtime.timers.after(messageTimeout, () => this.#rotate()) : undefined;
    for (const root of late) {
      root.over = true;
      this.#failed(root, new MillraceError('MR_MESSAGE_TIMEOUT', [id, messageTimeout]));
    }
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    this.#cancelTimer?.();
    await this.#reader?.close?.();
  }

  #woken(): void {
    this.#ready = true;
    this.#wake();
  }

  /** Runs the spout's code. If it throws it is called again after its backoff, and after the last retry the topology stops. */
  #call(run: () => void): void {
    this.#station.worker.stopwatch.in(this.#metrics);
    this.#metrics.ended++;
    try {
      run();
      this.#failures = 0;
    } catch (thrown) {
      this.#ready = false;
      this.#station.sourceFailed(thrown, ++this.#failures, () => this.#woken());
    }
  }

  #emitters(): unknown {
    const { clock } = this.#station.worker.runtime;
    const add = (output: Output, value: unknown, id?: MessageId, time: number = clock.now(), task?: number) => {
      this.#emitted.push({ output, value, time, id, task });
      if (this.#emitted.length === 1) this.#wake();
    };
    const emitters = this.outputs.map((output) =>
      output.direct
        ? (task: number, value: unknown, id?: MessageId, time?: number) => add(output, value, id, time, task)
        : (value: unknown, id?: MessageId, time?: number) => add(output, value, id, time),
    );
    return byStream(this.#station.component.streams, emitters as readonly ((...args: never[]) => void)[]);
  }
}
