/**
 * One worker: what all tasks on a thread share. Delivery is a function call, depth first; `anchor` is the tree that the
 * running call belongs to. Only one step runs at a time, and a step never waits.
 */
import { inspect } from 'node:util';
import { structured } from '../codec/structured.ts';
import { MillraceError, messageOf } from '../errors.ts';
import { entryId } from '../ledger/entry-id.ts';
import { fingerprint } from '../ledger/fingerprint.ts';
import type { LedgerCause, LedgerEntry, Origin } from '../ledger/ledger.ts';
import type { Runtime, Timers } from '../runtime/runtime.ts';
import type { Receipt } from '../topology/receipt.ts';
import type { Rejected } from '../topology/spout.ts';
import type { EngineOptions } from './engine-options.ts';
import type { Metrics } from './metrics.ts';
import { Stopwatch } from './metrics.ts';
import type { Anchor } from './tree.ts';

/** A record on its way to the ledger. */
export interface Lost {
  readonly metrics: Metrics;
  readonly input: string | undefined;
  readonly cause: LedgerCause;
  readonly detail: string;
  readonly value: unknown;
  readonly time: number;
}

export class Worker {
  readonly topology: string;
  readonly options: EngineOptions;
  /** How what is under way survives a failure. */
  readonly keeps: Receipt['keeps'];
  readonly runtime: Runtime;
  readonly stopwatch: Stopwatch;
  /** The tree of the tuple that is being executed; undefined where none is tracked. */
  anchor: Anchor | undefined;
  /** Set once the topology has been killed or has failed: late callbacks do nothing. */
  dead = false;
  /** Something waits for the next checkpoint: it is made at once. */
  checkpointSoon: () => void = () => {};
  readonly #onFailure: (cause: MillraceError) => void;
  readonly #recording = new Set<Promise<void>>();
  #waiters: (() => void)[] = [];
  #untracked = 0;
  readonly #timers = new Set<() => void>();

  constructor(
    topology: string,
    options: EngineOptions,
    keeps: Receipt['keeps'],
    onFailure: (cause: MillraceError) => void,
  ) {
    this.topology = topology;
    this.options = options;
    this.keeps = keeps;
    this.runtime = { ...options.runtime, timers: this.#ownTimers(options.runtime.timers) };
    this.stopwatch = new Stopwatch(options.runtime.clock);
    this.#onFailure = onFailure;
  }

  /** Runs `step` as part of `anchor`'s tree: from outside of any other step, or where another one has delivered all. */
  step(anchor: Anchor | undefined, step: () => void): void {
    const outer = this.anchor;
    this.anchor = anchor;
    try {
      step();
    } finally {
      this.anchor = outer;
    }
  }

  /** As `step`, and the clock is read at the end: for steps that come alone, from a promise or a timer. */
  stepAlone(anchor: Anchor | undefined, step: () => void): void {
    this.step(anchor, step);
    this.stopwatch.stop();
  }

  /** Timers that go with the topology: a retry that waits for an hour must not keep a process alive that is done. */
  #ownTimers({ after, soon }: Timers): Timers {
    return {
      soon,
      after: (ms, callback) => {
        const cancel = after(ms, () => {
          this.#timers.delete(cancel);
          callback();
        });
        this.#timers.add(cancel);
        return () => {
          this.#timers.delete(cancel);
          cancel();
        };
      },
    };
  }

  /** The end: no timer fires any more. */
  cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /** Something that a drain may be waiting for has happened. */
  progress(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Resolves when `condition` holds, or the worker is dead. Asked again at each `progress`. */
  async until(condition: () => boolean): Promise<void> {
    while (!this.dead && !condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves at the next `progress`. */
  async nextProgress(): Promise<void> {
    if (!this.dead) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Stops the topology: user code asked for it by its policy, or a part that must work does not. */
  fail(cause: MillraceError): void {
    if (this.dead) return;
    this.dead = true;
    this.#onFailure(cause);
    this.progress();
  }

  /** Entries that the ledger has not confirmed yet. */
  get recording(): number {
    return this.#recording.size;
  }

  /** Resolves when all entries so far are safe. A ledger that refuses one stops the topology. */
  async recorded(): Promise<void> {
    await Promise.all(this.#recording);
  }

  /** Puts a value that a component could not take into the ledger; its tree is held until the entry is safe. */
  lose({ metrics, input, cause, detail, value, time }: Lost, anchor: Anchor | undefined): void {
    const payload = { encoding: 'value' as const, payload: encoded(value) };
    this.#enter({ metrics, input, cause, detail, time }, payload, fingerprint(value), anchor);
  }

  /** A timer that its bolt could not take: there is no record to give back, so the entry has no payload. */
  loseTimer(metrics: Metrics, origin: Origin, detail: string, time: number): void {
    const nothing = { encoding: 'value' as const, payload: null };
    this.#enter({ metrics, input: undefined, cause: 'error', detail, time }, nothing, 0, undefined, origin);
  }

  /** Puts a record that its source could not read into the ledger, as the source held it. */
  reject(metrics: Metrics, { cause, detail, payload }: Rejected, anchor: Anchor | undefined): void {
    const time = this.runtime.clock.now();
    this.#enter({ metrics, input: undefined, cause, detail, time }, { encoding: 'record', payload }, 0, anchor);
  }

  /**
   * A ledger that fails stops the topology: the record would be lost. `content`: values of one record are told apart by what
   * they are, not by when they were lost, as a replay may lose them in another order.
   */
  #enter(
    { metrics, input, cause, detail, time }: Omit<Lost, 'value'>,
    payload: Pick<LedgerEntry, 'encoding' | 'payload'>,
    content: number,
    anchor: Anchor | undefined,
    origin = anchor?.origin,
  ): void {
    const component = metrics.component;
    if (anchor?.inLedger) return anchor.fail(new MillraceError('MR_LOST_AGAIN', [component, detail]));
    const at = this.runtime.clock.now();
    const index =
      origin === undefined ? this.#untracked++ : content + (anchor?.nextLedgerIndex(component, content) ?? 0);
    const from = origin ?? { spout: `untracked-${at}`, split: '', position: 0 };
    const id = entryId(this.topology, from, component, index, cause);
    metrics.ledgered++;
    anchor?.hold();
    const entry = { id, at, topology: this.topology, component, input, cause, detail, origin, time, ...payload };
    const recording = this.options.ledger.record(entry).then(
      () => {
        this.#recording.delete(recording);
        if (this.dead) return;
        anchor?.release();
        this.progress();
      },
      (thrown: unknown) => this.fail(new MillraceError('MR_LEDGER', [component, messageOf(thrown)], thrown)),
    );
    this.#recording.add(recording);
  }
}

/** A value that cannot be encoded is kept as text: the entry tells at least what it was. */
function encoded(value: unknown): Uint8Array {
  try {
    return structured.encode(value);
  } catch {
    return structured.encode(inspect(value));
  }
}
