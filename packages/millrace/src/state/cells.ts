/**
 * The kinds of state. A kind knows what its cells look like: to steps (through its handle), to snapshots and to expiry. An
 * absent cell is `undefined`, and an empty list or map is absent, so that a key that holds nothing goes.
 */
import type { Entry } from './entry.ts';
import type { Lifetime } from './expiry.ts';
import type { Before, Step, Undoer } from './step.ts';

/** When something was written: of a value, or of each element. Undefined without a time to live. */
export type Written = number | readonly number[] | undefined;
/** What snapshots keep of a cell: the value, the array, or the Map. */
export type Kept = readonly [kept: unknown, written?: Written];

/** The change that all kinds share: the whole cell was replaced. Theirs are above. */
const REPLACED = 0;

export abstract class Cells implements Undoer {
  readonly name: string;
  readonly what: string;
  readonly index: number;
  readonly lifetime: Lifetime | undefined;
  /** What `prepare` gets. */
  abstract readonly handle: unknown;
  protected readonly step: Step;

  constructor(step: Step, index: number, name: string, lifetime: Lifetime | undefined) {
    this.step = step;
    this.index = index;
    this.name = name;
    this.what = `state.${name}`;
    this.lifetime = lifetime;
  }

  /** What is kept of a cell, without what has expired; undefined if that is nothing. */
  abstract save(cell: unknown): Kept | undefined;
  /** The cell again; undefined if it is empty. Throws a TypeError if `kept` is not of this kind. */
  abstract load(kept: unknown, written: Written): unknown;
  /** When the first part of the cell expires. Only with a time to live, as the next. */
  abstract end(cell: unknown): number;
  /** The cell without what has expired; the same if nothing has. */
  abstract swept(cell: unknown): unknown;
  /** What a user sees who looks from outside, if there is no cell. */
  abstract readonly empty: unknown;

  undo(before: Before, entry: Entry): void {
    entry.put(this.index, before.was);
  }

  protected replace(entry: Entry, cell: unknown): void {
    this.step.note(this, REPLACED, entry.cell(this.index), undefined, 0);
    entry.put(this.index, cell);
  }

  clear(): void {
    const entry = this.step.seen(this.what);
    if (entry === undefined || entry.cell(this.index) === undefined) return;
    this.replace(this.step.written(this.what), undefined);
  }
}

/** Takes a user's value into the engine's keeping. */
export type Accept = <T>(value: T) => T;

/** For elements that came back without the time at which they were written, or not as many as there are times. */
export function timesOf(written: Written, count: number, lifetime: Lifetime): number[] {
  if (typeof written === 'object' && written.length === count) return [...written];
  const last =
    typeof written === 'object' ? written.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) : written;
  return new Array<number>(count).fill(last ?? lifetime.now());
}

export function timeOf(written: Written, lifetime: Lifetime): number {
  return timesOf(written, 1, lifetime)[0]!;
}
