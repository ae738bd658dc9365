/**
 * Bounded memory (law 9). Each component has a gate. A task whose queue is at its bound says `full`, which closes the
 * gates of every component upstream of it. Whoever starts a step there (a spout, a promise's result, a tick, a
 * generator) looks at its own gate first and waits until it opens. As a topology has no cycle, what is furthest
 * downstream always goes on, so gates always open again.
 */
export class Gate {
  readonly #upstream = new Set<Gate>();
  #full = 0;
  #waiting: (() => void)[] = [];
  readonly #always: (() => void)[] = [];

  /** Closed while a queue downstream is full. */
  get closed(): boolean {
    return this.#full > 0;
  }

  /** `gate` and all that is upstream of it are upstream of this one. */
  addUpstream(gate: Gate): void {
    this.#upstream.add(gate);
    for (const further of gate.#upstream) this.#upstream.add(further);
  }

  full(): void {
    for (const gate of this.#upstream) gate.#full++;
  }

  roomAgain(): void {
    for (const gate of this.#upstream) gate.#open();
  }

  /** Calls back once, when the gate is open and its turn has come. */
  whenOpen(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** Calls back each time the gate opens again. */
  whenOpens(callback: () => void): void {
    this.#always.push(callback);
  }

  #open(): void {
    if (--this.#full > 0) return;
    for (const callback of this.#always) callback();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}

/** What waits in front of one task, against its bound. */
export class Room {
  readonly #gate: Gate;
  readonly #bound: number;
  #used = 0;

  constructor(gate: Gate, bound: number) {
    this.#gate = gate;
    this.#bound = bound;
  }

  get used(): number {
    return this.#used;
  }
  get isFull(): boolean {
    return this.#used >= this.#bound;
  }
  take(): void {
    if (++this.#used === this.#bound) this.#gate.full();
  }
  give(): void {
    if (this.#used-- === this.#bound) this.#gate.roomAgain();
  }
}
