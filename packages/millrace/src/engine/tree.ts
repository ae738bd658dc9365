/**
 * Tuple trees (law 3). Inside a worker a tree is a count of open holds on its root: whoever keeps a tuple beyond the call
 * that brought it (a queue, a promise, a batch, a retry) holds the tree and releases it when done. A synchronous bolt
 * takes no hold: its part of the tree ends when the call returns. So acking costs a spout tuple, not a hop.
 */
import type { Origin } from '../ledger/ledger.ts';

/** What a tuple belongs to: one tree, or several at once (multi-anchoring). */
export interface Anchor {
  readonly origin: Origin | undefined;
  /** What it carries is in the ledger already: lost again on its way, it fails and adds no entry (law 8). */
  readonly inLedger: boolean;
  hold(): void;
  release(): void;
  /** The tree will end failed. It still ends only when all its holds are released. */
  fail(cause: unknown): void;
  /** Says that the tree is being worked on: its message timeout starts again. */
  touch(): void;
  /** How many records of this tree with this content the component has given to the ledger before: equal in a replay. */
  nextLedgerIndex(component: string, content: number): number;
}

/** Told once, when the last hold is released. */
export interface TreeOwner<R> {
  finished(root: R): void;
  touched(root: R): void;
}

export abstract class Root implements Anchor {
  abstract readonly origin: Origin | undefined;
  readonly inLedger: boolean = false;
  failed = false;
  cause: unknown;
  /** The reading of the worker's stopwatch when the spout emitted it. */
  since: number;
  #holds = 1;
  #ledgered: Map<string, number> | undefined;

  constructor(since: number) {
    this.since = since;
  }

  protected abstract end(): void;
  abstract touch(): void;

  hold(): void {
    this.#holds++;
  }
  release(): void {
    if (--this.#holds === 0) this.end();
  }
  fail(cause: unknown): void {
    if (!this.failed) this.cause = cause;
    this.failed = true;
  }
  nextLedgerIndex(component: string, content: number): number {
    this.#ledgered ??= new Map();
    const at = `${component}:${content}`;
    const index = this.#ledgered.get(at) ?? 0;
    this.#ledgered.set(at, index + 1);
    return index;
  }
  /** Before a replay: one hold again, nothing failed. */
  protected restart(since: number): void {
    this.failed = false;
    this.cause = undefined;
    this.since = since;
    this.#holds = 1;
    this.#ledgered = undefined;
  }
}

/** Several trees as one: a tuple anchored to many. */
class Anchors implements Anchor {
  readonly #anchors: readonly Anchor[];
  constructor(anchors: readonly Anchor[]) {
    this.#anchors = anchors;
  }
  get origin(): Origin | undefined {
    return this.#anchors[0]?.origin;
  }
  get inLedger(): boolean {
    return this.#anchors.every((anchor) => anchor.inLedger);
  }
  hold(): void {
    for (const anchor of this.#anchors) anchor.hold();
  }
  release(): void {
    for (const anchor of this.#anchors) anchor.release();
  }
  fail(cause: unknown): void {
    for (const anchor of this.#anchors) anchor.fail(cause);
  }
  touch(): void {
    for (const anchor of this.#anchors) anchor.touch();
  }
  nextLedgerIndex(component: string, content: number): number {
    return this.#anchors[0]?.nextLedgerIndex(component, content) ?? 0;
  }
}

/** One anchor for all of these; undefined entries are tuples that no tree tracks. */
export function anchorOf(anchors: readonly (Anchor | undefined)[]): Anchor | undefined {
  const distinct = [...new Set(anchors.filter((a) => a !== undefined))];
  return distinct.length < 2 ? distinct[0] : new Anchors(distinct);
}

/** The tree of a value that no spout gave: from a test. */
export class OutsideRoot extends Root {
  readonly origin = undefined;
  readonly #ended: (failed: boolean, cause: unknown) => void;
  constructor(since: number, ended: (failed: boolean, cause: unknown) => void) {
    super(since);
    this.#ended = ended;
  }
  touch(): void {}
  protected end(): void {
    this.#ended(this.failed, this.cause);
  }
}

/** The tree of a value that the ledger gave back. */
export class ReplayRoot extends OutsideRoot {
  override readonly inLedger = true;
}
