/**
 * A task of windows on the store of the engine, without the engine: steps one by one, user code that throws where a test
 * wants it, a crash between any two steps. A step that throws is undone and tried again.
 */
import { deepFreeze } from '../../engine/freeze.ts';
import { KeyedState } from '../../state/keyed-state.ts';
import type { SavedKey } from '../../state/keyed-store.ts';
import type { Bolt, BoltTaskCode } from '../../topology/bolt.ts';
import type { Key } from '../../topology/key.ts';

export interface Emitted {
  readonly stream: string;
  readonly value: unknown;
  readonly time: number;
}

export class WindowStage {
  readonly emitted: Emitted[] = [];
  readonly rejected: string[] = [];
  now = 0;
  watermark = Number.NEGATIVE_INFINITY;
  /** Steps that were undone. */
  failures = 0;
  #state: KeyedState;
  #code: BoltTaskCode;
  readonly #bolt: Bolt<unknown, unknown>;
  #step: Emitted[] = [];
  #stepRejected: string[] = [];

  constructor(bolt: Bolt<unknown, unknown>) {
    this.#bolt = bolt;
    this.#state = this.#makeState();
    this.#code = this.#prepare();
  }

  /** Keys that hold anything. */
  get size(): number {
    return this.#state.size;
  }
  pending(domain: 'event' | 'clock'): number {
    return this.#state.pending(domain);
  }
  read(key: Key): unknown {
    return this.#state.read(key);
  }

  feed(key: Key, value: unknown, time: number): void {
    const execute = this.#code.execute as (value: unknown, time: number, key: Key) => void;
    this.#run(
      () => this.#state.enter(key),
      () => execute.call(this.#code, value, time, key),
    );
    this.#tell('event', this.watermark);
  }

  advanceTo(watermark: number): void {
    this.watermark = Math.max(this.watermark, watermark);
    this.#state.watermark = this.watermark;
    this.#tell('event', this.watermark);
  }

  /** Clock timers are told at their times. */
  clockTo(now: number): void {
    while (this.#state.next('clock') <= now) {
      this.now = Math.max(this.now, this.#state.next('clock'));
      this.#tell('clock', this.now);
    }
    this.now = now;
  }

  /** What is left is what a snapshot has. */
  crash(): void {
    this.takeOver(this);
  }

  /** Begins with what a snapshot of the other has. */
  takeOver(other: WindowStage): void {
    const snapshot = other.#state.snapshot('all');
    const saved: SavedKey[] = [];
    while (!snapshot.done) saved.push(...snapshot.advance(1));
    this.watermark = other.watermark;
    this.#state = this.#makeState();
    this.#state.watermark = this.watermark;
    this.#state.restore(snapshot.shapes, saved);
    this.#code = this.#prepare();
  }

  #tell(domain: 'event' | 'clock', upTo: number): void {
    for (let told = 0; ; told++) {
      if (told > 10_000) throw new Error(`timers of ${domain} time have no end`);
      let timer = this.#state.fire(domain, upTo);
      if (timer === undefined) return;
      const { name, time, key } = timer;
      timer = undefined;
      let isFirst = true;
      this.#run(
        () => {
          if (!isFirst) this.#state.fire(domain, upTo);
          isFirst = false;
        },
        () => this.#code.timer![name]!(time, key),
      );
    }
  }

  #run(enter: () => void, step: () => void): void {
    for (let tries = 0; ; tries++) {
      enter();
      this.#step = [];
      this.#stepRejected = [];
      try {
        step();
        this.#state.commit();
        this.emitted.push(...this.#step);
        this.rejected.push(...this.#stepRejected);
        return;
      } catch (thrown) {
        this.#state.undo();
        this.failures++;
        if (tries > 5) throw thrown;
      }
    }
  }

  #makeState(): KeyedState {
    const { code } = this.#bolt;
    if (code.kind !== 'bolt') throw new TypeError('windows are a full bolt');
    return new KeyedState({
      component: 'windows',
      specs: code.state,
      timers: code.timers,
      freeze: deepFreeze,
      now: () => this.now,
    });
  }

  #prepare(): BoltTaskCode {
    const { code, streams } = this.#bolt;
    if (code.kind !== 'bolt') throw new TypeError('windows are a full bolt');
    const emitter =
      (stream: string) =>
      (value: unknown, time: number): void =>
        void this.#step.push({ stream, value: deepFreeze(value), time });
    const isOne = streams.length === 1;
    const emit = isOne ? emitter('default') : Object.fromEntries(streams.map(({ name }) => [name, emitter(name)]));
    return code.prepare({
      emit,
      state: this.#state.handles,
      timers: this.#state.timers,
      watermark: () => this.watermark,
      now: () => this.now,
      reject: (detail: string) => void this.#stepRejected.push(detail),
    } as never);
  }
}
