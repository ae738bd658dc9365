/**
 * State per key, in memory: a restart starts it empty. Writes of one input take effect together or not at all (law 1):
 * `undo` takes back what was written since the last `commit`.
 */
import { MillraceError } from '../errors.ts';
import type { CanonicalKey, Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';
import type { ListState, StateSpec, StateSpecs, ValueState } from '../topology/state-spec.ts';

/** What was in a cell before it was first written: for a list its length, unless the whole of it was replaced. */
interface Before {
  readonly cells: Map<CanonicalKey, unknown>;
  readonly key: CanonicalKey;
  readonly had: boolean;
  readonly value: unknown;
  readonly length: number | undefined;
}

/** A list that was handed out is never changed again: the next append makes a new one. */
interface List {
  readonly items: unknown[];
  lent: boolean;
}

export class VolatileState {
  /** What `prepare` gets: one handle per declared name. */
  readonly handles: { readonly [name: string]: unknown };
  readonly #component: string;
  readonly #freeze: <T>(value: T) => T;
  #key: CanonicalKey | undefined;
  #before: Before[] = [];

  constructor(component: string, specs: StateSpecs, freeze: <T>(value: T) => T) {
    this.#component = component;
    this.#freeze = freeze;
    this.handles = Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, this.#handle(name, spec)]));
  }

  /** The key of the input that is being executed; undefined where there is none. */
  set key(key: Key | undefined) {
    this.#key = key === undefined ? undefined : canonicalKey(key);
  }

  /** The step has ended well. Until the next `key` there is none: a handle that was kept finds nothing to change. */
  commit(): void {
    this.#key = undefined;
    if (this.#before.length > 0) this.#before = [];
  }

  undo(): void {
    this.#key = undefined;
    for (const { cells, key, had, value, length } of this.#before.reverse()) {
      if (!had) cells.delete(key);
      else if (length === undefined) cells.set(key, value);
      else cells.set(key, shortened(value as List, length));
    }
    this.#before = [];
  }

  #handle(name: string, spec: StateSpec<unknown>): unknown {
    const cells = new Map<CanonicalKey, unknown>();
    const key = (): CanonicalKey => {
      if (this.#key === undefined) throw new MillraceError('MR_NO_KEY_HERE', [this.#component, `state.${name}`]);
      return this.#key;
    };
    return spec.kind === 'value'
      ? this.#valueHandle(cells, key, this.#freeze(spec.initial))
      : this.#listHandle(cells, key);
  }

  #valueHandle(cells: Map<CanonicalKey, unknown>, key: () => CanonicalKey, initial: unknown): ValueState<unknown> {
    return {
      get: () => {
        const at = key();
        const value = cells.get(at);
        return value === undefined && !cells.has(at) ? initial : value;
      },
      set: (value) => this.#replace(cells, key(), this.#freeze(value)),
      clear: () => this.#remove(cells, key()),
    };
  }

  #listHandle(cells: Map<CanonicalKey, unknown>, key: () => CanonicalKey): ListState<unknown> {
    const none = Object.freeze([]);
    return {
      get: () => {
        const list = cells.get(key()) as List | undefined;
        if (list === undefined) return none;
        list.lent = true;
        return this.#freeze(list.items);
      },
      append: (value) => {
        const at = key();
        const list = cells.get(at) as List | undefined;
        const added = this.#freeze(value);
        if (list === undefined || list.lent) {
          this.#replace(cells, at, { items: [...(list?.items ?? []), added], lent: false });
        } else {
          this.#before.push({ cells, key: at, had: true, value: list, length: list.items.length });
          list.items.push(added);
        }
      },
      set: (values) => this.#replace(cells, key(), { items: values.map(this.#freeze), lent: false }),
      clear: () => this.#remove(cells, key()),
    };
  }

  #replace(cells: Map<CanonicalKey, unknown>, key: CanonicalKey, value: unknown): void {
    this.#before.push({ cells, key, had: cells.has(key), value: cells.get(key), length: undefined });
    cells.set(key, value);
  }

  #remove(cells: Map<CanonicalKey, unknown>, key: CanonicalKey): void {
    if (!cells.has(key)) return;
    this.#before.push({ cells, key, had: true, value: cells.get(key), length: undefined });
    cells.delete(key);
  }
}

/** The list without what was appended to it; one that was handed out since stays as it is, and another takes its place. */
function shortened(list: List, length: number): List {
  if (list.lent) return { items: list.items.slice(0, length), lent: false };
  list.items.length = length;
  return list;
}
