/** For the engine's own tests: a topology started whole, spouts and sinks included, in virtual time. */

import type { Running } from '../engine/running.ts';
import { startTopology } from '../engine/start.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { memoryLedger } from '../ledger/memory.ts';
import type { SimulatedRuntime } from '../runtime/simulated.ts';
import { simulatedRuntime } from '../runtime/simulated.ts';
import type { Guarantee } from '../topology/receipt.ts';
import type { Schema } from '../topology/schema.ts';
import type { Position, Spout } from '../topology/spout.ts';
import { logSpout } from '../topology/spout.ts';
import type { Stream } from '../topology/stream.ts';
import type { Topology } from '../topology/topology.ts';

export interface VirtualStart {
  readonly runtime: SimulatedRuntime;
  readonly running: Running;
  readonly ledger: Ledger;
  readonly log: string[];
}

export async function startVirtual(
  topology: Topology,
  options: { readonly guarantee?: Guarantee; readonly ledger?: Ledger; readonly seed?: number } = {},
): Promise<VirtualStart> {
  const { guarantee = 'at-least-once', ledger = memoryLedger(), seed = 1 } = options;
  const runtime = simulatedRuntime({ seed });
  const log: string[] = [];
  const starting = startTopology(topology.build(), {
    runtime,
    ledger,
    resources: new Map(),
    guarantee,
    freeze: true,
    encodeEdges: false,
    log: (component, text) => void log.push(`${component}: ${text}`),
  });
  return { runtime, running: await runtime.until(starting), ledger, log };
}

/** A source of arrays, one per split, that remembers what was asked of it. */
export class ArraySource<T> {
  readonly spout: Spout<Stream<T>>;
  readonly committed = new Map<string, Position>();
  readonly asked: string[] = [];
  /** How many records have been taken. */
  taken = 0;
  readonly #wakes: (() => void)[] = [];

  /** Ends after its last record, unless `stays` says that more may come. */
  constructor(
    schema: Schema<T>,
    bySplit: { readonly [split: string]: readonly T[] },
    stays = false,
    /** How long a commit takes, in virtual milliseconds. */
    commitTakes = 0,
  ) {
    this.spout = logSpout<T>({
      emits: schema,
      splits: () => Object.keys(bySplit),
      open: (task) => {
        const at = new Map<string, Position>();
        const paused = new Set<string>();
        this.#wakes.push(() => task.wake());
        return {
          seek: (split, position) => void at.set(split, position ?? this.committed.get(split) ?? 0),
          pause: (split) => {
            this.asked.push(`pause ${split}`);
            paused.add(split);
          },
          resume: (split) => {
            this.asked.push(`resume ${split}`);
            paused.delete(split);
          },
          next: (max) => {
            let left = max;
            for (const split of task.splits) {
              const records = bySplit[split]!;
              let position = at.get(split)!;
              for (; left > 0 && position < records.length && !paused.has(split); left--, position++) {
                task.emit(split, position, position + 1, records[position]!, position);
                this.taken++;
              }
              at.set(split, position);
              if (position === records.length && !stays) task.endSplit(split);
            }
            return left === 0;
          },
          commit: async (positions) => {
            if (commitTakes > 0) await new Promise((resolve) => setTimeout(resolve, commitTakes));
            for (const [split, position] of positions) this.committed.set(split, position);
          },
          close: () => void this.asked.push('close'),
        };
      },
    });
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
