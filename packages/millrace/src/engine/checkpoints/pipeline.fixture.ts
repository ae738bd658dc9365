/** For tests of checkpoints: a world that outlives its topologies. What is started in it goes on from what is kept. */
import { MemoryCheckpoints } from '../../checkpoints/memory-checkpoints.fixture.ts';
import { MillraceError } from '../../errors.ts';
import { bolt, topology, type, value } from '../../index.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { memoryLedger } from '../../ledger/memory.ts';
import { simulatedRuntime } from '../../runtime/simulated.ts';
import type { ArraySource } from '../../testing/start-virtual.ts';
import type { Epoch } from '../../topology/epoch.ts';
import { compareEpochs } from '../../topology/epoch.ts';
import type { Guarantee } from '../../topology/receipt.ts';
import type { Sink, Takes } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import type { Topology } from '../../topology/topology.ts';
import type { CheckpointOptions, CheckpointStart, EngineOptions } from '../engine-options.ts';
import type { Running } from '../running.ts';
import { startTopology } from '../start.ts';

/** Counts what comes per word, and says each count. */
export const counting = () =>
  bolt({
    emits: type<{ word: string; count: number }>(),
    state: { count: value(0) },
    prepare: ({ emit, state }) => ({
      execute(word: string) {
        state.count.set(state.count.get() + 1);
        emit({ word, count: state.count.get() });
      },
    }),
  });

/** As many, of three. */
export const words = (n: number) => Array.from({ length: n }, (_, i) => 'abc'[i % 3]!);

export function wordCount(source: ArraySource<string>, table: Table<{ word: string; count: number }>) {
  return topology('words', (t) => {
    const counts = t.bolt(
      'count',
      t.spout('words', source.spout).keyBy((w) => w),
      counting(),
      { parallelism: 2 },
    );
    t.sink('table', counts.shuffle(), table.sink);
  });
}

export class World {
  readonly runtime = simulatedRuntime({ seed: 1 });
  readonly checkpoints = new MemoryCheckpoints();
  ledger: Ledger = memoryLedger();
  readonly log: string[] = [];

  async start(
    topology: Topology,
    options: Partial<CheckpointOptions> & {
      readonly guarantee?: Guarantee;
      readonly take?: Partial<CheckpointStart>;
    } = {},
  ): Promise<Running> {
    const { guarantee, take, ...checkpoints } = options;
    const opening: EngineOptions = {
      runtime: this.runtime,
      ledger: this.ledger,
      resources: new Map(),
      guarantee,
      checkpoints: {
        store: this.checkpoints.open(),
        interval: 100,
        pause: 0,
        timeout: 60_000,
        outbox: { bytes: 1e6, total: 1e7, epochs: 100 },
        ...checkpoints,
        start: { renamed: new Map(), dropped: new Set(), ...take },
      },
      freeze: true,
      encodeEdges: false,
      log: (component, text) => void this.log.push(`${component}: ${text}`),
    };
    return this.runtime.until(this.runtime.within(() => startTopology(topology.build(), opening)));
  }
}

/** A transactional target in memory. */
export class Table<T> {
  readonly rows: T[] = [];
  readonly epochs: Epoch[] = [];
  /** Called within each publication, before anything is visible. */
  publishing: (epoch: Epoch) => void | Promise<void> = () => {};
  /** Called within each claim, before it takes effect. */
  claiming: () => void | Promise<void> = () => {};
  #claimed = 0;
  #last: Epoch | undefined;

  get sink(): Sink<Takes<T>> {
    return sink<T>({
      mode: 'transactional',
      batch: { size: 10, every: 5 },
      write: (values) => void this.rows.push(...values),
      epochs: {
        open: () => {
          let own = 0;
          const check = () => {
            if (own < this.#claimed)
              throw new MillraceError('MR_SINK_CLAIMED', ['table', 'memory', own, this.#claimed]);
          };
          return {
            claim: async (incarnation) => {
              await this.claiming();
              own = incarnation;
              check();
              this.#claimed = incarnation;
              return this.#last;
            },
            publish: async (epoch, values) => {
              await this.publishing(epoch);
              check();
              if (this.#last !== undefined && compareEpochs(epoch, this.#last) <= 0)
                throw new Error(`epoch ${epoch.incarnation}.${epoch.number} again`);
              this.#last = epoch;
              this.epochs.push(epoch);
              this.rows.push(...values);
            },
          };
        },
      },
    });
  }
}
