import type { LogError } from '../errors.ts';

/** Those who wait for a partition: for all before an offset to be durable, once; or to be told whenever more is readable. */
interface Waiter {
  readonly end: number;
  readonly done: (error: LogError | undefined) => void;
}

export class Watchers {
  private readonly rethrow: (error: unknown) => void;
  private readonly listeners = new Set<() => void>();
  private readonly waiters: Waiter[] = [];

  /** `rethrow` throws where nobody of ours catches. */
  constructor(rethrow: (error: unknown) => void) {
    this.rethrow = rethrow;
  }

  onAppend(listener: () => void): () => void {
    const own = () => listener();
    this.listeners.add(own);
    return () => void this.listeners.delete(own);
  }

  wait(end: number, done: (error: LogError | undefined) => void): void {
    this.waiters.push({ end, done });
  }

  /** All before `end` is durable. They are served in the order in which they asked. */
  durable(end: number): void {
    let served = 0;
    while (served < this.waiters.length && this.waiters[served]!.end <= end) served++;
    for (const { done } of this.waiters.splice(0, served)) done(undefined);
  }

  refuse(error: LogError): void {
    for (const { done } of this.waiters.splice(0)) done(error);
  }

  tell(): void {
    for (const listener of [...this.listeners]) {
      try {
        listener();
      } catch (error) {
        // A listener's own failure must not look like the log's.
        this.rethrow(error);
      }
    }
  }
}
