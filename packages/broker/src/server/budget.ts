/** Bytes that may be in flight, shared by many. Who finds it spent waits, and is told when there is room again. */
export class Budget {
  private readonly limit: number;
  private readonly waiting = new Set<() => void>();
  taken = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get spent(): boolean {
    return this.taken >= this.limit;
  }

  take(bytes: number): void {
    this.taken += bytes;
  }

  give(bytes: number): void {
    this.taken -= bytes;
    if (this.spent || this.waiting.size === 0) return;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const go of waiting) go();
  }

  /** Calls `go` once, when bytes were given back. */
  wait(go: () => void): void {
    this.waiting.add(go);
  }

  forget(go: () => void): void {
    this.waiting.delete(go);
  }
}
