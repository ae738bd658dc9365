/**
 * What `explain` answers: how far event time has come, what holds it there, and what would let a timer be told. Plain
 * data that JSON can hold, for people, for scripts and for other processes.
 */
import { LAST_DATE } from '../duration.ts';

/** Milliseconds since 1970. Event time has not begun before the first record; at the end no record is to come. */
export type Moment = number | 'not begun' | 'the end';

/** What waits for a time that is no date any more waits for the end of the input. */
export function momentOf(time: number): Moment {
  if (time === -Infinity) return 'not begun';
  return time > LAST_DATE ? 'the end' : time;
}

/** Something that a watermark waits for inside of a task. */
export type Wait =
  /** Inputs that came before it are being retried, or wait behind one that is. */
  | { readonly kind: 'retries'; readonly inputs: number }
  /** Event timers are being told; the handler of the first one has thrown so often. */
  | { readonly kind: 'timers'; readonly failures: number }
  /** Asynchronous calls for inputs that came before it have not ended. */
  | { readonly kind: 'calls'; readonly inputs: number }
  /** A manual bolt has neither acked nor failed tuples that came before it. */
  | { readonly kind: 'held'; readonly inputs: number }
  /** It is behind the barrier of a checkpoint that has not come on all inputs; so many tuples wait with it. */
  | { readonly kind: 'barrier'; readonly tuples: number }
  /** A generator has not given all its values. */
  | { readonly kind: 'generator' }
  /** Queues of these components, downstream, are full. */
  | { readonly kind: 'full'; readonly components: readonly string[] }
  /** The spouts of the topology are deactivated. */
  | { readonly kind: 'inactive' }
  /** As many tuples of the spout are pending as its option maxPending allows. */
  | { readonly kind: 'pending'; readonly tuples: number }
  /** The source has ended, and tuples of it are under way. */
  | { readonly kind: 'ending'; readonly tuples: number };

export interface TaskPlace {
  readonly component: string;
  /** Counted from 0. */
  readonly task: number;
}

/** A split of a source (a partition, a file) that holds event time. */
export interface HoldingSplit {
  readonly split: string;
  /** The newest time of its records so far. */
  readonly newest: Moment;
  /** Wall clock: since when its watermark has been where it is. */
  readonly since: number;
  readonly idle: boolean;
  /** Paused: further ahead of the slowest split than `time.align` allows. */
  readonly farAhead: boolean;
  /** Milliseconds of silence after which it falls idle, and holds nobody. Missing where it cannot. */
  readonly idleIn?: number;
  /** A record of this time or later lets go of the timer. Missing with a watermark rule of the user's own. */
  readonly needs?: number;
}

/** Who holds event time: a split of a source, or a task in which a watermark waits. */
export interface Holder extends TaskPlace {
  /** How far it lets event time come. */
  readonly watermark: Moment;
  readonly split?: HoldingSplit;
  readonly waits: readonly Wait[];
  /** All its splits are idle and its event time goes on with the clock: the wall-clock time at which that is far enough. */
  readonly clock?: number;
  /** The way from the task that was asked about up to this one, both included. */
  readonly path: readonly TaskPlace[];
}

/** The event time of one task, and its event timers that are to be told. */
export interface TaskEventTime {
  readonly task: number;
  readonly watermark: Moment;
  /** All that is upstream is idle: event time stands, and holds nobody. */
  readonly idle: boolean;
  readonly timers: number;
  /** The time of the earliest one. */
  readonly next?: Moment;
}

/** A timer that is to be told, or a time that was asked about. */
export interface AskedTimer {
  readonly task: number;
  readonly time: Moment;
  /** Undefined where only a time was asked about, and no timer of that time is set. */
  readonly name?: string;
  readonly domain?: 'event' | 'clock';
  /** Of a window: when it ends, or when its allowed lateness does. */
  readonly window?: Moment;
  /** As the command line takes keys: text, or JSON where it is something else. */
  readonly key?: string;
}

export interface Explanation {
  readonly component: string;
  /** Asked about, as the command line takes keys. */
  readonly key?: string;
  /** Wall clock, when it was asked. */
  readonly at: number;
  readonly tasks: readonly TaskEventTime[];
  /** Undefined when no timer is set. */
  readonly timer?: AskedTimer;
  /** Of the task of the timer; without a timer, of the task that is furthest behind. */
  readonly watermark: Moment;
  /**
   * `waiting`: event time, or the clock, has not come to the timer. `idle`: nor does it go on, as all sources of the task
   * are idle. `due`: it has, and the timer is about to be told. `passed`: it has come to the time asked about, and no
   * timer of that time is left. `none`: no timer is set.
   */
  readonly state: 'waiting' | 'idle' | 'due' | 'passed' | 'none';
  /** Those that hold event time short of the timer, or hold it at all where there is none; the furthest behind first. */
  readonly holders: readonly Holder[];
}

/** How far a component has come, in one line. */
export interface ComponentEventTime {
  readonly component: string;
  readonly kind: 'spout' | 'bolt';
  /** Of its task that is furthest behind. */
  readonly watermark: Moment;
  readonly idle: boolean;
  /** Milliseconds that the clock is ahead. Missing where the watermark is no time. */
  readonly lag?: number;
  /** Event timers that are to be told. */
  readonly timers: number;
  readonly next?: Moment;
  readonly holder?: Holder;
}
