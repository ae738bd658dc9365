/**
 * Producer ids: small numbers, none given twice, whatever crashes. They are taken in blocks, each of which is durable
 * before its first id is given; a restart leaves the rest of a block unused, as Kafka does. 0 is never given: some
 * clients send it in InitProducerId to say that they have none.
 */
const BLOCK = 1000;

export class ProducerIds {
  private readonly allot: (count: number) => Promise<number>;
  private next = 0;
  private end = 0;
  private allotting: Promise<void> | undefined;

  /** `allot` gives the first of so many numbers that it will never give again, when that is durable. */
  constructor(allot: (count: number) => Promise<number>) {
    this.allot = allot;
  }

  async take(): Promise<number> {
    while (this.next === this.end) {
      this.allotting ??= this.refill();
      await this.allotting;
    }
    return this.next++;
  }

  private async refill(): Promise<void> {
    try {
      this.next = await this.allot(BLOCK);
      this.end = this.next + BLOCK;
    } finally {
      this.allotting = undefined;
    }
  }
}
