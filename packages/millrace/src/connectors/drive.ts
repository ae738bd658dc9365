/**
 * Test support: drives one spout or sink as the engine does, without one. It keeps the caller's half of the contracts
 * in topology/spout.ts and topology/sink.ts (calls from outside, never inside each other; `next` again only when the
 * last call gave something or `wake` was called since) and asserts the connector's half.
 */
import { deserialize, serialize } from 'node:v8';
import { MillraceError } from '../errors.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Schema } from '../topology/schema.ts';
import type { Epochs, EpochWriter, Sink, SinkWriter, Takes } from '../topology/sink.ts';
import type { LogReader, LogTask, MessageId, QueueReader, QueueTask, Rejected, Spout } from '../topology/spout.ts';
import type { Stream } from '../topology/stream.ts';
import type { Task } from '../topology/task.ts';

export interface DriveOptions {
  /** What `task.use` finds, by resource name. */
  readonly resources?: Readonly<Record<string, unknown>>;
  readonly now?: () => number;
  readonly component?: string;
  readonly index?: number;
  readonly parallelism?: number;
  /** Largest `max` that `next` is given; default 100. */
  readonly max?: number;
}

export interface Emitted<T> {
  readonly split: string;
  readonly position: number;
  readonly next: number;
  readonly value: T;
  readonly time: number;
}

interface RejectedAt extends Rejected {
  readonly split: string;
  readonly position: number;
  readonly next: number;
}

function driveTask(options: DriveOptions, lines: string[]): Task {
  const { resources = {}, now = () => 0, component = 'driven', index = 0, parallelism = 1 } = options;
  return {
    topology: 'driven',
    component,
    id: index + 1,
    index,
    parallelism,
    tasksOf: () => 1,
    now,
    random: () => 0.5,
    log: (text) => lines.push(text),
    use: (resource) => {
      if (!(resource.name in resources)) throw new MillraceError('MR_RESOURCE', ['driven', resource.name]);
      return resources[resource.name] as never;
    },
  };
}

/** What both kinds of spout have in common: the loop that calls them, and what wakes it. */
function loop(step: () => boolean | void) {
  let inside = false;
  let woken = true;
  let notify: (() => void) | undefined;
  const wake = () => {
    woken = true;
    notify?.();
  };
  const call = <R>(run: () => R): R => {
    if (inside) throw new Error('a call from the engine inside another one');
    inside = true;
    try {
      return run();
    } finally {
      inside = false;
    }
  };
  return {
    wake,
    call,
    inside: () => inside,
    /** Takes steps until the condition holds; between them waits to be woken if there was nothing. */
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) {
        if (!woken) {
          await new Promise<void>((resolve) => {
            notify = resolve;
          });
          notify = undefined;
        }
        woken = false;
        if (call(step) !== false) woken = true;
      }
    },
    /** One step, whether woken or not; what it returned. */
    once: () => call(step) !== false,
  };
}

export interface DrivenLog<T> {
  readonly splits: readonly string[];
  readonly emitted: Emitted<T>[];
  readonly rejected: RejectedAt[];
  readonly endedSplits: string[];
  readonly lines: string[];
  readonly values: () => T[];
  readonly until: (condition: () => boolean) => Promise<void>;
  readonly once: () => boolean;
  readonly reader: LogReader;
  /** Until every split has ended. */
  readonly toEnd: () => Promise<void>;
}

/** Opens a log spout on the splits given (all of them by default), each sought to its position in `from`. */
export async function driveLog<T>(
  spout: Spout<Stream<T>>,
  options: DriveOptions & { readonly mine?: readonly string[]; readonly from?: Readonly<Record<string, number>> } = {},
): Promise<DrivenLog<T>> {
  if (spout.code.kind !== 'log') throw new Error('not a log spout');
  const { max = 100, from = {} } = options;
  const [emitted, rejected, endedSplits, lines]: [Emitted<T>[], RejectedAt[], string[], string[]] = [[], [], [], []];
  const task = driveTask(options, lines);
  const all = await spout.code.splits(task);
  const splits = options.mine ?? all;
  const reached = new Map<string, number>();
  let given = 0;
  const loopOf = loop(() => {
    given = 0;
    return reader.next(max);
  });
  const check = (split: string, position: number, next: number) => {
    if (!loopOf.inside()) throw new Error('a record given outside of next()');
    if (++given > max) throw new Error(`more than the ${max} records asked for`);
    if (!splits.includes(split)) throw new Error(`a record of '${split}', which is not a split of this task`);
    if (endedSplits.includes(split)) throw new Error(`a record of '${split}' after its end`);
    if (!(next > position && position >= (reached.get(split) ?? 0))) throw new Error(`positions go back on ${split}`);
    reached.set(split, next);
  };
  const logTask: LogTask<T> = {
    ...task,
    splits,
    wake: loopOf.wake,
    end: () => {},
    emit(split, position, next, value, time) {
      check(split, position, next);
      emitted.push({ split, position, next, value, time });
    },
    reject(split, position, next, why) {
      check(split, position, next);
      rejected.push({ split, position, next, ...why });
    },
    endSplit: (split) => void endedSplits.push(split),
  };
  const reader = await spout.code.open(logTask as never);
  for (const split of splits) loopOf.call(() => reader.seek(split, from[split]));
  const { until, once } = loopOf;
  const toEnd = () => until(() => splits.every((split) => endedSplits.includes(split)));
  const values = () => emitted.map(({ value }) => value);
  return { splits, emitted, rejected, endedSplits, lines, values, until, once, toEnd, reader };
}

export interface DrivenQueue<T> {
  readonly emitted: { readonly value: T; readonly id: MessageId | undefined; readonly time: number | undefined }[];
  readonly rejected: Rejected[];
  readonly lines: string[];
  readonly until: (condition: () => boolean) => Promise<void>;
  readonly once: () => boolean;
  readonly reader: QueueReader;
}

export async function driveQueue<T>(spout: Spout<Stream<T>>, options: DriveOptions = {}): Promise<DrivenQueue<T>> {
  if (spout.code.kind !== 'queue') throw new Error('not a queue spout');
  const emitted: DrivenQueue<T>['emitted'] = [];
  const lines: string[] = [];
  const loopOf = loop(() => reader.nextTuple());
  const rejected: Rejected[] = [];
  const context: QueueTask<Schema<T>> = {
    ...driveTask(options, lines),
    wake: loopOf.wake,
    end: () => {},
    emit(value: T, id?: MessageId, time?: number) {
      if (!loopOf.inside()) throw new Error('a tuple emitted outside of nextTuple()');
      emitted.push({ value, id, time });
    },
    reject: (why) => void rejected.push(why),
  } as QueueTask<Schema<T>>;
  const reader = await spout.code.open(context as never);
  return { emitted, rejected, lines, until: loopOf.until, once: loopOf.once, reader };
}

export interface DrivenSink<T> extends SinkWriter<T> {
  readonly lines: string[];
  write(values: readonly T[], times?: readonly number[]): Promise<void>;
}

export async function driveSink<T>(sink: Sink<Takes<T>>, options: DriveOptions = {}): Promise<DrivenSink<T>> {
  const lines: string[] = [];
  const writer = (await sink.open(driveTask(options, lines))) as SinkWriter<T>;
  return {
    lines,
    write: async (values, times = values.map(() => 0)) => writer.write(values, times),
    close: async () => writer.close?.(),
  };
}

export interface DrivenEpochs<T> extends Pick<EpochWriter<T>, 'claim'> {
  /** Prepares the values, keeps them as a checkpoint does, and publishes what it kept. */
  publish(epoch: Epoch, values: readonly T[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens the epoch writer of a transactional sink, which is not claimed yet. */
export async function driveEpochs<T>(sink: Sink<Takes<T>>, options: DriveOptions = {}): Promise<DrivenEpochs<T>> {
  if (sink.epochs === undefined) throw new Error('not a transactional sink');
  const { prepare = (value) => value, open } = sink.epochs as unknown as Epochs<T, unknown>;
  const writer = await open(driveTask(options, []));
  let closed = false;
  return {
    claim: (incarnation) => writer.claim(incarnation),
    publish: async (epoch, values) => {
      const kept = values.map((value) => serialize(prepare(value, 0)));
      await writer.publish(
        epoch,
        kept.map((bytes): unknown => deserialize(bytes)),
      );
    },
    close: async () => {
      if (!closed) await writer.close?.();
      closed = true;
    },
  };
}
