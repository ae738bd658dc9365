/**
 * Sinks that cannot be simulated as they are, because they reach the world by themselves, are modelled: a table in memory
 * that survives every crash, and keeps what a sink of its mode declares. It may lose its answers, be late, or refuse.
 */
import { MillraceError } from '../../errors.ts';
import type { Timers } from '../../runtime/runtime.ts';
import type { Epoch } from '../../topology/epoch.ts';
import { compareEpochs, epochText } from '../../topology/epoch.ts';
import type { EpochWriter, Sink, SinkWriter } from '../../topology/sink.ts';
import type { TimedValue } from './outcome.ts';
import type { Process } from './process.ts';

/** How tables answer just now. */
export interface Mood {
  readonly losesAnswers: boolean;
  readonly refuses: boolean;
  /** Milliseconds until an answer. */
  readonly delay: number;
}

export interface TableOptions {
  readonly sink: string;
  readonly timers: Timers;
  readonly mood: () => Mood;
  /** The sink does not keep its word, or is not treated by its rules: that ends the simulation. */
  readonly violated: (what: string) => void;
}

export class Table {
  readonly rows: TimedValue[] = [];
  readonly #options: TableOptions;
  #claimed = 0;
  #published: Epoch | undefined;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  /** The sink in its place, for one process. */
  stand(original: Sink<never>, process: Process): Sink<never> {
    const { epochs } = original;
    return {
      ...original,
      open: () => this.#writer(process) as SinkWriter<never>,
      epochs: epochs && {
        // What the sink refuses of a value it refuses here as well; what is compared is the value.
        prepare: (value: never, time: number): TimedValue => {
          epochs.prepare?.(value, time);
          return { value, time };
        },
        open: () => this.#epochWriter(process) as EpochWriter<unknown>,
      },
    };
  }

  #writer(process: Process): SinkWriter<unknown> {
    return {
      write: (values, times) =>
        this.#ask(process, () => {
          for (const [i, value] of values.entries()) this.rows.push({ value, time: times[i]! });
        }),
    };
  }

  #epochWriter(process: Process): EpochWriter<TimedValue> {
    let own = 0;
    return {
      claim: (incarnation) => {
        own = incarnation;
        return this.#ask(process, () => {
          this.#expectNewest(incarnation);
          this.#claimed = incarnation;
          return this.#published;
        });
      },
      publish: (epoch, entries) => {
        const copy = structuredClone(entries);
        return this.#ask(process, () => {
          this.#expectNewest(own);
          this.#publish(epoch, copy);
        });
      },
    };
  }

  #expectNewest(own: number): void {
    if (own < this.#claimed)
      throw new MillraceError('MR_SINK_CLAIMED', [this.#options.sink, 'its table', own, this.#claimed]);
  }

  #publish(epoch: Epoch, entries: readonly TimedValue[]): void {
    const { sink, violated } = this.#options;
    const last = this.#published;
    const order = last === undefined ? 1 : compareEpochs(epoch, last);
    if (order === 0) return; // its answer was lost
    if (order < 0) violated(`sink '${sink}' was given epoch ${epochText(epoch)} after ${epochText(last!)}`);
    if (epoch.incarnation > this.#claimed)
      violated(`sink '${sink}' was given epoch ${epochText(epoch)}, of nobody who claimed it`);
    this.rows.push(...entries);
    this.#published = epoch;
  }

  /** A question to the table: it arrives whatever becomes of who asked, and answers when its mood lets it. */
  #ask<T>(process: Process, act: () => T): Promise<T> {
    process.step();
    const { timers, mood, sink } = this.#options;
    const { delay } = mood();
    const done = new Promise<T>((resolve, reject) => {
      timers.after(delay / 2, () => {
        const { refuses, losesAnswers } = mood();
        try {
          if (refuses) throw new Error(`the table of '${sink}' refuses`);
          const result = act();
          if (losesAnswers) throw new Error(`the answer of the table of '${sink}' was lost`);
          timers.after(delay / 2, () => resolve(result));
        } catch (thrown) {
          reject(thrown as Error);
        }
      });
    });
    return process.answer(done);
  }
}
