/**
 * `generatorSpout`: the values of an iterable as a log spout, for tests, demos and benchmarks. It has one split, and a
 * record's position is how many values came before it, so it can be sought and replayed as long as `make` gives the
 * same values each time. When the iterable ends, so does the spout.
 */
import { MillraceError } from '../../errors.ts';
import { timersResource } from '../../runtime/resources.ts';
import { type } from '../../topology/schema.ts';
import type { LogReader, LogTask, Position, Spout } from '../../topology/spout.ts';
import { logSpout } from '../../topology/spout.ts';
import type { Stream } from '../../topology/stream.ts';
import { idleReader } from '../idle-reader.ts';

export interface GeneratorOptions {
  /** Values per second; as fast as the topology takes them when absent. */
  readonly rate?: number;
}

const SPLIT = 'generator';
/** Values of an asynchronous iterable that are asked for ahead of the topology. */
const AHEAD = 256;

/** Every value has the time at which it is emitted. `make` is called once, and again when the spout starts elsewhere. */
export function generatorSpout<T>(
  make: () => Iterable<T> | AsyncIterable<T>,
  options: GeneratorOptions = {},
): Spout<Stream<T>> {
  const { rate } = options;
  if (rate !== undefined && !(rate > 0 && Number.isFinite(rate)))
    throw new MillraceError('MR_OPTION', ['generatorSpout', 'rate', rate, 'a number of values per second above 0']);
  return logSpout({
    emits: type<T>(),
    splits: () => [SPLIT],
    open: (task) => (task.splits.length === 0 ? idleReader : read(task, make, rate)),
  });
}

/** What the next value of an iterable is: one, none yet, or none ever. */
interface Source<T> {
  /** The value taken is in `value`. */
  take(): 'value' | 'later' | 'end';
  readonly value: T;
  close(): void | Promise<void>;
}

function read<T>(task: LogTask<T>, make: () => Iterable<T> | AsyncIterable<T>, rate: number | undefined): LogReader {
  const pace = rate === undefined ? undefined : pacer(task, rate);
  let source: Source<T> | undefined;
  let position = 0;
  let skip = 0;
  let paused = false;
  let ended = false;

  const end = () => {
    ended = true;
    task.endSplit(SPLIT);
  };
  return {
    seek(_split, to) {
      source = open(make(), task);
      position = 0;
      skip = to ?? 0;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      task.wake();
    },
    next(max) {
      if (!source || paused || ended) return false;
      for (let skipped = 0; position < skip; position++, skipped++) {
        if (skipped === max) return true;
        const got = source.take();
        if (got === 'value') continue;
        if (got === 'end') end();
        return false;
      }
      const due = pace ? pace.due(max) : max;
      for (let given = 0; given < due; given++) {
        const got = source.take();
        if (got === 'value') {
          task.emit(SPLIT, position, position + 1, source.value, task.now());
          position++;
          pace?.gave();
          continue;
        }
        if (got === 'end') end();
        return false;
      }
      return due === max;
    },
    async commit(_positions: ReadonlyMap<string, Position>) {},
    async close() {
      pace?.stop();
      await source?.close();
    },
  };
}

function open<T>(iterable: Iterable<T> | AsyncIterable<T>, task: LogTask<T>): Source<T> {
  return Symbol.asyncIterator in iterable ? pulled(iterable, task.wake) : inStep(iterable);
}

/** What an iterable threw is thrown each time: asked again, a generator would only say that it has ended. */
function inStep<T>(iterable: Iterable<T>): Source<T> {
  const iterator = iterable[Symbol.iterator]();
  let failure: { readonly thrown: unknown } | undefined;
  let value: T;
  const next = () => {
    if (failure) throw failure.thrown;
    try {
      return iterator.next();
    } catch (thrown) {
      failure = { thrown };
      throw thrown;
    }
  };
  return {
    take() {
      const result = next();
      if (result.done) return 'end';
      value = result.value;
      return 'value';
    },
    get value() {
      return value;
    },
    close: () => void iterator.return?.(),
  };
}

/** Asks an asynchronous iterable for up to AHEAD values before they are taken, one at a time, in order. */
function pulled<T>(iterable: AsyncIterable<T>, wake: () => void): Source<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  let waiting: T[] = [];
  let first = 0;
  let asking = false;
  let over: { readonly thrown?: unknown } | undefined;
  let value: T;
  const ask = async () => {
    asking = true;
    try {
      while (!over && waiting.length - first < AHEAD) {
        const result = await iterator.next();
        if (result.done) over ??= {};
        else waiting.push(result.value);
        wake();
      }
    } catch (thrown) {
      over = { thrown };
      wake();
    }
    asking = false;
  };
  void ask();
  return {
    take() {
      if (first < waiting.length) {
        value = waiting[first++]!;
        if (first === AHEAD) {
          waiting = waiting.slice(first);
          first = 0;
        }
        if (!asking && !over) void ask();
        return 'value';
      }
      if (over && 'thrown' in over) throw over.thrown;
      return over ? 'end' : 'later';
    },
    get value() {
      return value;
    },
    async close() {
      over ??= {};
      // Not awaited: an iterable that is waiting for its own source would never answer.
      iterator.return?.().catch(() => {});
    },
  };
}

/** Lets `rate` values a second through. Of what a pause held back, one second's worth is made up for, not more. */
function pacer(task: LogTask<never>, rate: number) {
  const timers = task.use(timersResource);
  const interval = 1000 / rate;
  const atMost = Math.max(1000, interval);
  let dueAt = task.now();
  let stop: (() => void) | undefined;
  return {
    /** How many of `max` values may be given now; if not all, a timer will wake the task. */
    due(max: number): number {
      const now = task.now();
      if (now - dueAt > atMost) dueAt = now - atMost;
      if (dueAt - now > interval) dueAt = now;
      const due = Math.max(0, Math.floor((now - dueAt) / interval) + 1);
      if (due >= max) return max;
      stop?.();
      stop = timers.after(Math.max(1, Math.ceil(dueAt + due * interval - now)), task.wake);
      return due;
    },
    gave() {
      dueAt += interval;
    },
    stop: () => stop?.(),
  };
}
