/**
 * Bytes that may be in flight, shared by many. Who finds it spent waits, and is told when there is room again. One at a
 * time may take more all the same: so those whose requests have come in part, and fill it, do not wait for each other.
 */
export class Budget {
  private readonly limit: number;
  private readonly waiting = new Set<() => void>();
  private favourite: object | undefined;
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
    if (!this.spent) this.wake();
  }

  /** Whether it may take more although the budget is spent, until it lets others. */
  favours(one: object): boolean {
    this.favourite ??= one;
    return this.favourite === one;
  }

  letOthers(one: object): void {
    if (this.favourite !== one) return;
    this.favourite = undefined;
    this.wake();
  }

  /** Calls `go` once, when there may be room again. */
  wait(go: () => void): void {
    this.waiting.add(go);
  }

  forget(go: () => void): void {
    this.waiting.delete(go);
  }

  private wake(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const go of waiting) go();
  }
}
