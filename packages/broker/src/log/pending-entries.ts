import type { Entry } from './keyed-log.ts';

/**
 * The entries of a keyed log that wait for a transaction's end, per producer and key. Of what several producers wrote for
 * one key, and of what was written outside of transactions, the last *written* is to win, in whatever order the
 * transactions end: so an entry goes as soon as something that was written after it counts.
 */
export interface TransactionProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

interface Pending extends Entry {
  readonly producer: TransactionProducer;
  /** Its place in the order of the writes. */
  readonly turn: number;
}

export class PendingEntries {
  private readonly byProducer = new Map<number, Map<string, Pending>>();
  private turn = 0;

  has(producerId: number): boolean {
    return this.byProducer.has(producerId);
  }

  add(producer: TransactionProducer, { key, value }: Entry): void {
    const own = this.byProducer.get(producer.producerId) ?? new Map<string, Pending>();
    this.byProducer.set(producer.producerId, own);
    own.set(key.toString('latin1'), { producer, key, value, turn: this.turn++ });
  }

  /** The producer's transaction has ended; gives its entries, in order. */
  take(producerId: number, commit: boolean): readonly Entry[] {
    const own = [...(this.byProducer.get(producerId)?.values() ?? [])].sort((a, b) => a.turn - b.turn);
    this.byProducer.delete(producerId);
    if (commit) for (const { key, turn } of own) this.drop(key, turn);
    return own;
  }

  /** Something for this key was written now that counts at once. */
  supersede(key: Buffer): void {
    this.drop(key, this.turn);
  }

  /** In the order of the writes. */
  all(): readonly Pending[] {
    return [...this.byProducer.values()].flatMap((own) => [...own.values()]).sort((a, b) => a.turn - b.turn);
  }

  /** A producer that has nothing left keeps its place: its marker is still to come. */
  private drop(key: Buffer, before: number): void {
    if (this.byProducer.size === 0) return;
    const name = key.toString('latin1');
    for (const own of this.byProducer.values()) {
      const entry = own.get(name);
      if (entry !== undefined && entry.turn < before) own.delete(name);
    }
  }
}
