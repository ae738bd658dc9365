/**
 * Publication (law 5): the outputs of completed epochs, handed to their sinks in order, each sink at its own pace. What is not
 * published yet is bounded: beyond the bound the spouts wait.
 */
import { MillraceError } from '../../errors.ts';
import type { Epoch } from '../../topology/epoch.ts';
import type { EpochWriter } from '../../topology/sink.ts';
import { Fifo } from '../fifo.ts';
import type { Station } from '../station.ts';
import type { Worker } from '../worker.ts';

/** What one sink has to publish of one epoch. `times`: event times where they are known. */
export interface Outgoing {
  readonly epoch: Epoch;
  readonly entries: readonly unknown[];
  readonly times: readonly number[];
  readonly bytes: number;
}

/** Bytes of epochs that are published together, at most. */
const TOGETHER = 4_000_000;

/** One transactional sink. */
class SinkPublisher {
  readonly station: Station;
  readonly #worker: Worker;
  readonly #writer: EpochWriter<unknown>;
  readonly #waiting = new Fifo<Outgoing>();
  readonly #published: (outgoing: Outgoing) => void;
  #busy = false;

  constructor(station: Station, writer: EpochWriter<unknown>, published: (outgoing: Outgoing) => void) {
    this.station = station;
    this.#worker = station.worker;
    this.#writer = writer;
    this.#published = published;
  }

  publish(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    if (!this.#busy) this.#next();
  }

  async close(): Promise<void> {
    await this.#writer.close?.();
  }

  /** What waits goes together: a sink that is slower than epochs are made has fewer and larger ones to publish. */
  #next(): void {
    const together: Outgoing[] = [];
    let bytes = 0;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      bytes += next.bytes;
      if (together.length > 0 && bytes > TOGETHER) break;
      together.push(next);
      this.#waiting.shift();
    }
    this.#busy = together.length > 0;
    if (this.#busy)
      this.#try(
        together,
        together.flatMap(({ entries }) => entries),
        0,
      );
  }

  /** Under the id of the newest of them: a sink that has published it has published all before it. */
  #try(together: readonly Outgoing[], entries: readonly unknown[], attempt: number): void {
    const { metrics } = this.station;
    const { clock } = this.#worker.runtime;
    const started = clock.monotonic();
    const publishing = async () => this.#writer.publish(together.at(-1)!.epoch, entries);
    publishing().then(
      () => {
        if (this.#worker.dead) return;
        const elapsed = clock.monotonic() - started;
        const count = entries.length;
        metrics.execute.record(elapsed / count, count);
        metrics.process.record(elapsed, count);
        metrics.busy += elapsed;
        metrics.capacity.note(clock.monotonic(), metrics.busy);
        this.#done(together);
      },
      (thrown: unknown) => {
        if (!this.#worker.dead) this.#failed(together, entries, attempt + 1, thrown);
      },
    );
  }

  #failed(together: readonly Outgoing[], entries: readonly unknown[], attempt: number, thrown: unknown): void {
    const { station } = this;
    station.metrics.errors++;
    // Somebody else has taken over: to try again would be to fight for it.
    if (thrown instanceof MillraceError && thrown.code === 'MR_SINK_CLAIMED') return this.#worker.fail(thrown);
    const error = station.userError(0, thrown, `the ${entries.length} values of an epoch`);
    if (station.retries(error.message, attempt, `retry ${attempt}`, () => this.#try(together, entries, attempt)))
      return;
    // They are in the checkpoint and will be published by the next start: given to the ledger they might come out twice.
    this.#worker.fail(error);
  }

  #done(together: readonly Outgoing[]): void {
    const { metrics } = this.station;
    const wall = this.#worker.runtime.clock.now();
    for (const outgoing of together) {
      metrics.acked += outgoing.entries.length;
      for (const time of outgoing.times) metrics.result.record(wall - time);
      this.#published(outgoing);
    }
    this.#next();
  }
}

interface OutboxBounds {
  readonly total: number;
  readonly epochs: number;
}

/** All transactional sinks of a topology. */
export class Publisher {
  readonly #worker: Worker;
  readonly #bounds: OutboxBounds;
  readonly #sinks = new Map<string, SinkPublisher>();
  /** Told when all sinks have published an epoch. */
  readonly #published: (epoch: Epoch) => void;
  /** Epochs with something that is not published yet, the oldest first, and by how many sinks. */
  readonly #open: { readonly epoch: Epoch; left: number }[] = [];
  #bytes = 0;
  #holds = false;

  constructor(worker: Worker, bounds: OutboxBounds, published: (epoch: Epoch) => void) {
    this.#worker = worker;
    this.#bounds = bounds;
    this.#published = published;
  }

  add(station: Station, writer: EpochWriter<unknown>): void {
    this.#sinks.set(station.id, new SinkPublisher(station, writer, (outgoing) => this.#done(outgoing)));
  }

  get epochs(): number {
    return this.#open.filter(({ left }) => left > 0).length;
  }
  /** Bytes that have come and are not published. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes have come into the outbox. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    this.#look();
  }

  /** An epoch is durable: its sinks publish it, which have not yet. Its bytes count already. */
  publish(epoch: Epoch, outputs: ReadonlyMap<string, Omit<Outgoing, 'epoch'>>): void {
    const due = [...outputs].filter(([, { entries }]) => entries.length > 0);
    this.#open.push({ epoch, left: due.length });
    for (const [sink, outgoing] of due) this.#sinks.get(sink)!.publish({ epoch, ...outgoing });
    this.#tell();
  }

  /** Resolves when all that was given so far is published, or the topology has ended. */
  async settled(): Promise<void> {
    const last = this.#open.at(-1);
    if (last !== undefined) await this.#worker.until(() => !this.#open.includes(last));
  }

  async close(): Promise<void> {
    for (const sink of this.#sinks.values()) await sink.close();
  }

  #done({ epoch, bytes }: Outgoing): void {
    this.#bytes -= bytes;
    this.#open.find((open) => open.epoch === epoch)!.left--;
    this.#tell();
  }

  #tell(): void {
    let published: Epoch | undefined;
    while (this.#open[0]?.left === 0) published = this.#open.shift()!.epoch;
    this.#look();
    if (published === undefined) return;
    this.#published(published);
    this.#worker.progress();
  }

  #look(): void {
    const holds = this.#bytes >= this.#bounds.total || this.epochs >= this.#bounds.epochs;
    if (holds === this.#holds) return;
    this.#holds = holds;
    for (const { station } of this.#sinks.values()) {
      if (holds) station.gate.full('spouts');
      else station.gate.roomAgain('spouts');
    }
  }
}
