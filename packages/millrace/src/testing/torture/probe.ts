/**
 * A bolt that is watched: what it emits carries the key of the step that emitted it, and its steps fail where they are
 * told to. A step fails at an emit, or at its very end, when it has done all that it does.
 */
import { shown } from '../../codec/shown.ts';
import { MillraceError } from '../../errors.ts';
import type { Bolt, BoltCode, BoltTask, BoltTaskCode } from '../../topology/bolt.ts';
import type { Key } from '../../topology/key.ts';
import { canonicalKey } from '../../topology/key.ts';

export type AnyBolt = Bolt<unknown, unknown>;
type AnyTask = BoltTask<never, never, never>;
type Emitter = (...given: unknown[]) => void;
/** Undefined: it has none. */
export type KeyFunction = (value: unknown, input: string | undefined) => Key | undefined;
type Handler = (value: unknown, time: number, key: unknown) => unknown;

/** What travels in place of an emitted value. `key` is undefined for ticks, watermarks and flushes of keyed bolts. */
export interface Tagged {
  readonly key: Key | undefined;
  readonly value: unknown;
}

/** Says which calls fail. One is made for each run, whatever tasks it goes through. */
export class Faults {
  /** Calls that could have failed: emits, and ends of steps. */
  calls = 0;
  /** The step that failed last, for people. */
  last = '';
  /** The call with this number fails, or each step does, or a random part of them; once. */
  readonly #which: number | 'every' | (() => boolean) | undefined;
  /** Steps that have failed and are to succeed now: a retry comes before anything else of its key. */
  readonly #failed = new Set<unknown>();

  constructor(which: number | 'every' | (() => boolean) | undefined) {
    this.#which = which;
  }

  /** `at`: an emit, a function of the user's within an operator of ours, or the end, when everything is done. `step` names it, the same in each try. */
  call(step: unknown, at: 'emit' | 'within' | 'end', what: () => string): void {
    const call = this.calls++;
    if (this.#which === undefined) return;
    if (this.#failed.has(step)) {
      if (at === 'end') this.done(step);
      return;
    }
    const every = this.#which === 'every' && at !== 'emit';
    const fails = typeof this.#which === 'function' ? this.#which() : every || call === this.#which;
    if (!fails) return;
    this.#failed.add(step);
    this.last = what();
    throw new Error('thrown by the test');
  }

  /** The step has ended well. */
  done(step: unknown): void {
    this.#failed.delete(step);
  }
}

/** More than a scenario by hand can ask for. At the end of the input event time is infinite: timers that go on never end. */
const MOST_STEPS = 100_000;

/** The probe whose bolt is running a step. */
let running: Probe | undefined;

/** For functions that a bolt of ours calls, such as those of an aggregate: they fail where a step may fail, too. */
export function mayFail<A extends readonly unknown[], R>(run: (...given: A) => R): (...given: A) => R {
  return (...given) => {
    running?.inside();
    return run(...given);
  };
}

export class Probe {
  readonly faults: Faults;
  /** What a handler of the bolt's life (tick, watermark, flush) threw: the engine does not try those again. Or it has no end. */
  failure: unknown;
  readonly #keyOf: KeyFunction;
  #key: Key | undefined;
  /** Undefined while a handler runs that is not tried again. */
  #step: unknown;
  #what: () => string = () => '';
  #steps = 0;
  /** Of an operator of ours that changes what is stored in place: it promises that it fails only where user code does. */
  #isOwned = false;

  constructor(faults: Faults, keyOf: KeyFunction) {
    this.faults = faults;
    this.#keyOf = keyOf;
  }

  watch(bolt: AnyBolt): AnyBolt {
    const direct = new Set(bolt.streams.filter((stream) => stream.direct).map(({ name }) => name));
    return { ...bolt, code: this.#code(bolt.code, direct) };
  }

  #code(code: BoltCode, direct: ReadonlySet<string>): BoltCode {
    switch (code.kind) {
      case 'bolt':
        this.#isOwned = Object.values(code.state).some((spec) => spec.owned);
        return { ...code, prepare: (task) => this.#prepared(code.prepare as never, task, direct) };
      case 'map': {
        const each = this.#stepOf(undefined, code.each as Handler);
        return { ...code, each: (value: never, time: number, key: never) => this.#given(each(value, time, key)) };
      }
      case 'flatMap':
        return { ...code, each: (value: never, time: number) => this.#many(code.each as never, value, time) };
      default:
        throw new MillraceError('MR_OPTION', [
          'torture',
          'the bolt',
          `${code.kind === 'async' ? 'an asyncBolt' : 'a manualBolt'}, which has no state per key`,
          'a bolt, map or flatMap',
        ]);
    }
  }

  #prepared(prepare: (task: AnyTask) => BoltTaskCode, task: AnyTask, direct: ReadonlySet<string>): BoltTaskCode {
    const code = prepare({ ...task, emit: this.#emitters(task.emit as never, direct) as never });
    const { execute, timer = {}, tick, watermark, flush } = code;
    const alone = (handler: (time: number) => void) => (time: number) => this.#alone(() => handler.call(code, time));
    const timers = Object.entries(timer).map(([name]) => [name, this.#timerOf(name, timer)] as const);
    return {
      ...code,
      execute: (typeof execute === 'function'
        ? this.#stepOf(undefined, execute as Handler)
        : Object.fromEntries(
            Object.keys(execute).map((input) => [
              input,
              this.#stepOf(input, (value, time, key) => (execute[input] as Handler)(value, time, key)),
            ]),
          )) as never,
      timer: Object.fromEntries(timers),
      ...(tick && { tick: alone(tick) }),
      ...(watermark && { watermark: alone(watermark) }),
      ...(flush && { flush: () => this.#alone(() => flush.call(code)) }),
      cleanup: () => code.cleanup?.(),
    };
  }

  #emitters(emit: Emitter | { readonly [stream: string]: Emitter }, direct: ReadonlySet<string>): unknown {
    const tagged = (to: Emitter, isDirect: boolean) =>
      isDirect
        ? (task: unknown, value: unknown, ...more: unknown[]) => {
            this.#call('emit');
            to(task, this.#tagged(value), ...more);
          }
        : (value: unknown, ...more: unknown[]) => {
            this.#call('emit');
            to(this.#tagged(value), ...more);
          };
    if (typeof emit === 'function') return tagged(emit, false);
    return Object.fromEntries(Object.entries(emit).map(([name, to]) => [name, tagged(to, direct.has(name))]));
  }

  #tagged(value: unknown): Tagged {
    return { key: this.#key, value };
  }

  /** What a plain function gave: undefined is not emitted. */
  #given(value: unknown): Tagged | undefined {
    return value === undefined ? undefined : this.#tagged(value);
  }

  /** One input: a step of its key. */
  #stepOf(input: string | undefined, handler: Handler): Handler {
    return (value, time, key) => {
      this.#key = this.#keyOf(value, input);
      return this.#run(`input ${shown(value)} at ${time}`, () => handler(value, time, key));
    };
  }

  #timerOf(name: string, timer: NonNullable<BoltTaskCode['timer']>): (time: number, key: Key) => unknown {
    return (time, key) => {
      this.#key = key;
      return this.#run(`timer '${name}' at ${time}`, () => timer[name]!(time, key));
    };
  }

  #run(what: string, step: () => unknown): unknown {
    if (++this.#steps > MOST_STEPS) {
      this.failure ??= new Error(
        `${MOST_STEPS} steps and no end, the last ${what}: does a timer set another for ever?`,
      );
      throw this.failure;
    }
    this.#what = () => `${what}, key ${shown(this.#key)}`;
    this.#step = this.#key === undefined ? what : canonicalKey(this.#key);
    running = this;
    try {
      const result = step();
      this.#call('end');
      return result;
    } finally {
      running = undefined;
    }
  }

  inside(): void {
    this.faults.call(this.#step, 'within', this.#what);
  }

  #call(at: 'emit' | 'end'): void {
    if (this.#step === undefined) return;
    if (!this.#isOwned) this.faults.call(this.#step, at, this.#what);
    else if (at === 'end') this.faults.done(this.#step);
  }

  #alone(handler: () => unknown): void {
    this.#key = undefined;
    this.#step = undefined;
    try {
      return handler() as void;
    } catch (thrown) {
      this.failure ??= thrown;
      throw thrown;
    }
  }

  *#many(each: (value: unknown, time: number) => Iterable<unknown>, value: unknown, time: number): Iterable<Tagged> {
    const key = this.#keyOf(value, undefined);
    const what = `input ${shown(value)} at ${time}`;
    const call = (at: 'emit' | 'end') =>
      this.faults.call(key === undefined ? what : canonicalKey(key), at, () => `${what}, key ${shown(key)}`);
    for (const one of each(value, time)) {
      call('emit');
      yield { key, value: one };
    }
    call('end');
  }
}
