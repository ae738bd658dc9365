/**
 * List state. A list that was handed out never changes: the next append makes a new one. With a time to live each element
 * has its own, but none goes before those ahead of it, should the clock be set back: what has expired is a list's start.
 */
import type { ListState } from '../topology/state-spec.ts';
import type { Accept, Kept, Written } from './cells.ts';
import { Cells, timesOf } from './cells.ts';
import type { Entry } from './entry.ts';
import type { Lifetime } from './expiry.ts';
import type { Before, Step } from './step.ts';

interface List {
  readonly items: unknown[];
  /** When each element was written. */
  readonly times: number[] | undefined;
  /** Whether `items` was handed out. */
  lent: boolean;
}

const APPENDED = 1;

export class ListCells extends Cells {
  readonly handle: ListState<unknown>;
  readonly empty: readonly unknown[] = Object.freeze([]);
  readonly #accept: Accept;
  readonly #freeze: <T>(value: T) => T;

  constructor(
    step: Step,
    index: number,
    name: string,
    options: { readonly lifetime: Lifetime | undefined; readonly accept: Accept; readonly freeze: <T>(value: T) => T },
  ) {
    super(step, index, name, options.lifetime);
    this.#accept = options.accept;
    this.#freeze = options.freeze;
    this.handle = {
      get: () => this.#get(),
      append: (value) => this.#append(value),
      set: (values) => this.#set(values),
      clear: () => this.clear(),
    };
  }

  #get(): readonly unknown[] {
    const list = this.step.seen(this.what)?.cell(this.index) as List | undefined;
    if (list === undefined) return this.empty;
    const gone = this.#gone(list);
    if (gone > 0) return this.#freeze(list.items.slice(gone));
    list.lent = true;
    return this.#freeze(list.items);
  }

  #append(value: unknown): void {
    const mine = this.#accept(value);
    const entry = this.step.written(this.what);
    const list = entry.cell(this.index) as List | undefined;
    if (this.lifetime !== undefined) this.#appendTimed(entry, list, mine, this.lifetime);
    else if (list === undefined) this.replace(entry, { items: [mine], times: undefined, lent: false });
    else if (list.lent) this.replace(entry, { items: [...list.items, mine], times: undefined, lent: false });
    else {
      this.step.note(this, APPENDED, list, undefined, list.items.length);
      list.items.push(mine);
    }
  }

  #appendTimed(entry: Entry, list: List | undefined, value: unknown, lifetime: Lifetime): void {
    const time = lifetime.now();
    const gone = list === undefined ? 0 : this.#gone(list);
    // What has expired is left behind when the list is copied anyway, or when it is half of it: copying stays cheap.
    if (list === undefined || list.lent || gone * 2 > list.items.length) {
      const items = [...(list?.items.slice(gone) ?? []), value];
      this.replace(entry, { items, times: [...(list?.times?.slice(gone) ?? []), time], lent: false });
    } else {
      this.step.note(this, APPENDED, list, undefined, list.items.length);
      list.items.push(value);
      list.times!.push(time);
    }
    lifetime.schedule(entry, time);
  }

  #set(values: readonly unknown[]): void {
    if (values.length === 0) return this.clear();
    const items = values.map((value) => this.#accept(value));
    const entry = this.step.written(this.what);
    const { lifetime } = this;
    const now = lifetime?.now();
    const times = now === undefined ? undefined : new Array<number>(items.length).fill(now);
    this.replace(entry, { items, times, lent: false });
    if (now !== undefined) lifetime!.schedule(entry, now);
  }

  override undo(before: Before, entry: Entry): void {
    if (before.kind === APPENDED) entry.put(this.index, shortened(before.was as List, before.number));
    else super.undo(before, entry);
  }

  /** How many elements at its start have expired. */
  #gone({ times }: List): number {
    const { lifetime } = this;
    if (times === undefined || lifetime === undefined || !lifetime.expired(times[0]!)) return 0;
    let gone = 1;
    while (gone < times.length && lifetime.expired(times[gone]!)) gone++;
    return gone;
  }

  save(cell: unknown): Kept | undefined {
    const list = this.swept(cell) as List | undefined;
    if (list === undefined) return undefined;
    const { items, times } = list;
    return times === undefined ? [items] : [items, times.map((written) => this.lifetime!.dated(written))];
  }

  load(kept: unknown, written: Written): List | undefined {
    if (!Array.isArray(kept)) throw new TypeError('a list is wanted');
    if (kept.length === 0) return undefined;
    const items = kept.map((value) => this.#accept(value));
    const times = this.lifetime === undefined ? undefined : timesOf(written, items.length, this.lifetime);
    return { items, times, lent: false };
  }

  end(cell: unknown): number {
    return this.lifetime!.end((cell as List).times![0]!);
  }

  swept(cell: unknown): unknown {
    const list = cell as List;
    const gone = this.#gone(list);
    if (gone === 0) return list;
    if (gone === list.items.length) return undefined;
    return { items: list.items.slice(gone), times: list.times!.slice(gone), lent: false };
  }
}

/** The list without what was appended to it; one that was handed out since stays as it is, and another takes its place. */
function shortened(list: List, length: number): List {
  if (list.lent) return { items: list.items.slice(0, length), times: list.times?.slice(0, length), lent: false };
  list.items.length = length;
  if (list.times !== undefined) list.times.length = length;
  return list;
}
