/** One split of a log spout: its records under way, in order, and the position below which everything is done. */
import type { Origin } from '../ledger/ledger.ts';
import type { SplitWatermark } from '../time/split-watermark.ts';
import type { Position } from '../topology/spout.ts';
import type { TreeOwner } from './tree.ts';
import { Root } from './tree.ts';

/** The tree of one record. It keeps the record until it is done, so that a replay needs no second read. */
export class LogRoot extends Root {
  readonly split: Split;
  readonly position: Position;
  readonly next: Position;
  readonly value: unknown;
  readonly time: number;
  done = false;
  /** How often it has failed. */
  attempt = 0;
  readonly #owner: TreeOwner<LogRoot>;

  constructor(
    owner: TreeOwner<LogRoot>,
    split: Split,
    position: Position,
    next: Position,
    value: unknown,
    time: number,
  ) {
    super(0);
    this.#owner = owner;
    this.split = split;
    this.position = position;
    this.next = next;
    this.value = value;
    this.time = time;
  }

  get origin(): Origin {
    return { spout: this.split.spout, split: this.split.name, position: this.position };
  }
  protected end(): void {
    this.#owner.finished(this);
  }
  /** Records of a log have no message timeout: nothing but a restart could read them again. */
  touch(): void {}
  replay(since: number): void {
    this.restart(since);
  }
}

export class Split {
  readonly spout: string;
  readonly name: string;
  /** Too many of its records wait for the first one that is not done. */
  long = false;
  /** Its event time is too far ahead of the others'. */
  farAhead = false;
  /** Undefined where nobody downstream asks for event time. */
  time: SplitWatermark | undefined;
  ended = false;
  /** Where it began in this run, if its reader says so. */
  start: Position | undefined;
  /** Where the next record would be taken. */
  taken: Position | undefined;
  /** Everything below is done; undefined until the first record is. */
  done: Position | undefined;
  /** What the source has noted of it. */
  committed: Position | undefined;
  #roots: LogRoot[] = [];
  #head = 0;

  constructor(spout: string, name: string) {
    this.spout = spout;
    this.name = name;
  }

  /** Records between the first that is not done and the last that was given. */
  get span(): number {
    return this.#roots.length - this.#head;
  }

  /** It gives no records for now, for either reason. */
  get paused(): boolean {
    return this.long || this.farAhead;
  }

  track(root: LogRoot): void {
    this.#roots.push(root);
  }

  /** Moves on over what is done. */
  advance(): void {
    const roots = this.#roots;
    let head = this.#head;
    while (head < roots.length && roots[head]!.done) this.done = roots[head++]!.next;
    if (head === roots.length) {
      roots.length = 0;
      head = 0;
    } else if (head > 1024 && head * 2 > roots.length) {
      this.#roots = roots.slice(head);
      head = 0;
    }
    this.#head = head;
  }
}
