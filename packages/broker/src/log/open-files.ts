/**
 * Bounds how many files are open that could be closed, whatever the size of the log: the one that was not used for
 * longest is released first. What waits for a write or a sync is not in here.
 */
export interface Releasable {
  release(): void;
}

export class OpenFiles {
  private readonly limit: number;
  private readonly used = new Set<Releasable>();

  constructor(limit: number) {
    this.limit = limit;
  }

  touch(one: Releasable): void {
    this.used.delete(one);
    this.used.add(one);
    if (this.used.size <= this.limit) return;
    for (const oldest of this.used) {
      this.used.delete(oldest);
      oldest.release();
      return;
    }
  }

  forget(one: Releasable): void {
    this.used.delete(one);
  }
}
