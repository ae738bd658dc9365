/**
 * Inputs of a synchronous task that cannot run now: those that failed and wait for their retry, and those held back
 * behind them because they have the same key (law 2). Each holds its tree. At the bound the sources wait.
 */
import { shown } from '../codec/shown.ts';
import type { CanonicalKey, Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import { Room } from './gate.ts';
import type { Metrics } from './metrics.ts';
import type { Station } from './station.ts';
import type { Anchor } from './tree.ts';

interface NamedPort {
  readonly input: string | undefined;
}

/** One input that waits. `attempt`: how often it has failed. `given`: values of a generator that were delivered already. */
export interface Waiting<P extends NamedPort> {
  readonly port: P;
  readonly value: unknown;
  readonly time: number;
  readonly key: Key | undefined;
  readonly anchor: Anchor | undefined;
  /** Monotonic milliseconds when it arrived. */
  readonly since: number;
  attempt: number;
  given: number;
}

export type Ran = 'done' | 'failed' | 'suspended';

export class Retrying<P extends NamedPort> {
  readonly #station: Station;
  readonly #metrics: Metrics;
  readonly #index: number;
  readonly #room: Room;
  /** By key; an input without a key has a line of its own. */
  readonly #lines = new Map<CanonicalKey | Waiting<P>, Waiting<P>[]>();
  readonly #run: (input: Waiting<P>) => Ran;
  readonly #emptied: () => void;

  /**
   * `run` tries one input again. 'failed': it has called `failed`; 'suspended': it will call `done` later. `emptied` is
   * called soon after the last one that waited has ended.
   */
  constructor(station: Station, index: number, run: (input: Waiting<P>) => Ran, emptied: () => void) {
    this.#emptied = emptied;
    this.#station = station;
    this.#metrics = station.metrics;
    this.#index = index;
    this.#room = new Room(station.gate, station.component.settings.queue);
    this.#run = run;
  }

  get waiting(): number {
    return this.#room.used;
  }

  /** Whether an input with this key must wait behind another; if so it is queued here. */
  holdsBack(port: P, value: unknown, time: number, key: Key | undefined): boolean {
    if (key === undefined) return false;
    const line = this.#lines.get(canonicalKey(key)!);
    if (line === undefined) return false;
    line.push(this.#enter(port, value, time, key));
    return true;
  }

  /** Starts a line with an input that has begun and not ended: it failed, or its generator is suspended. */
  begin(port: P, value: unknown, time: number, key: Key | undefined): Waiting<P> {
    const input = this.#enter(port, value, time, key);
    this.#lines.set(this.#lineOf(input), [input]);
    return input;
  }

  /** The first input of its line threw. Retried after its backoff, or given up by the policy. */
  failed(input: Waiting<P>, thrown: unknown): void {
    const { worker, component } = this.#station;
    if (worker.dead) return;
    input.attempt++;
    input.anchor?.touch();
    this.#metrics.errors++;
    const error = this.#station.userError(this.#index, thrown, shown(input.value));
    const again = () => this.resume(input);
    if (this.#station.retries(error.message, input.attempt, `retry ${input.attempt}`, again)) return;
    this.#metrics.failed++;
    if (this.#station.stops(error)) return;
    worker.options.log(component.id, `${error.message}; given to the ledger after ${input.attempt} tries`);
    const { value, time } = input;
    worker.lose(
      { metrics: this.#metrics, input: input.port.input, cause: 'error', detail: error.message, value, time },
      input.anchor,
    );
    this.done(input);
  }

  /** Tries the first input of a line again, and then those behind it. */
  resume(input: Waiting<P>): void {
    const { worker } = this.#station;
    if (worker.dead) return;
    if (this.#station.gate.closed) return this.#station.gate.whenOpen(() => this.resume(input));
    worker.stepAlone(input.anchor, () => {
      if (this.#run(input) === 'done') this.done(input);
    });
  }

  /** The first input of its line has ended; the next one's turn has come. */
  done(input: Waiting<P>): void {
    const { worker } = this.#station;
    const at = this.#lineOf(input);
    const line = this.#lines.get(at)!;
    line.shift();
    this.#room.give();
    this.#metrics.process.record(worker.runtime.clock.monotonic() - input.since);
    const next = line[0];
    if (next === undefined) this.#lines.delete(at);
    else worker.runtime.timers.soon(() => this.resume(next));
    if (this.waiting === 0) worker.runtime.timers.soon(this.#emptied);
    input.anchor?.release();
    worker.progress();
  }

  #enter(port: P, value: unknown, time: number, key: Key | undefined): Waiting<P> {
    const { worker } = this.#station;
    const { anchor } = worker;
    anchor?.hold();
    this.#room.take();
    return { port, value, time, key, anchor, since: worker.runtime.clock.monotonic(), attempt: 0, given: 0 };
  }

  #lineOf(input: Waiting<P>): CanonicalKey | Waiting<P> {
    return input.key === undefined ? input : canonicalKey(input.key)!;
  }
}
