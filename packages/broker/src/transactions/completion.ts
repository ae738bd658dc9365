import { LogError } from '../errors.ts';
import { COORDINATOR_EPOCH, type Participants } from './participants.ts';
import type { Partitions, Transaction } from './transaction.ts';

/** A decision being carried out: what of it is done stays done, so that another attempt asks only the rest. */
export class Completion {
  private readonly transaction: Transaction;
  private readonly participants: Participants;
  private readonly rest: Map<string, Set<number>>;

  constructor(transaction: Transaction, participants: Participants) {
    this.transaction = transaction;
    this.participants = participants;
    this.rest = new Map([...transaction.partitions].map(([topic, numbers]) => [topic, new Set(numbers)]));
  }

  /** The partitions whose markers are not durable yet. */
  get left(): Partitions {
    return this.rest;
  }

  /** Asks all that are left at once. True when none is left any more; those that refuse may take it another time. */
  async attempt(): Promise<boolean> {
    const { producerId, producerEpoch, state } = this.transaction;
    const marker = {
      producerId,
      producerEpoch,
      coordinatorEpoch: COORDINATOR_EPOCH,
      commit: state === 'PrepareCommit',
    };
    const asked: Promise<void>[] = [];
    for (const [topic, numbers] of this.rest) {
      for (const partition of numbers) {
        const done = this.participants.end(topic, partition, marker).then(() => this.strike(topic, partition));
        asked.push(done);
      }
    }
    for (const result of await Promise.allSettled(asked)) {
      if (result.status === 'rejected' && !(result.reason instanceof LogError)) throw result.reason;
    }
    return this.rest.size === 0;
  }

  private strike(topic: string, partition: number): void {
    const numbers = this.rest.get(topic)!;
    numbers.delete(partition);
    if (numbers.size === 0) this.rest.delete(topic);
  }
}
