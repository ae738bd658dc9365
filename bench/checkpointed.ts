/** A topology started as `millrace run` starts it, with checkpoints on the real disk and its default bounds. */
import { join } from 'node:path';
import { fileStorage } from '@millrace/broker';
import type { Topology } from 'millrace';
import type { CheckpointStore } from '../packages/millrace/src/checkpoints/checkpoint-store.ts';
import { openCheckpoints } from '../packages/millrace/src/checkpoints/directory-checkpoints.ts';
import type { Running } from '../packages/millrace/src/engine/running.ts';
import { startTopology } from '../packages/millrace/src/engine/start.ts';
import { memoryLedger } from '../packages/millrace/src/ledger/memory.ts';
import { realRuntime } from '../packages/millrace/src/runtime/real.ts';
import type { Guarantee } from '../packages/millrace/src/topology/receipt.ts';

export interface Checkpointed {
  readonly guarantee?: Guarantee;
  /** Milliseconds; undefined: it makes none. */
  readonly interval?: number;
  /** Of its checkpoints. */
  readonly folder?: string;
  readonly resources?: ReadonlyMap<string, unknown>;
  readonly log?: (text: string) => void;
  /** Told when a checkpoint is read. */
  readonly onRead?: () => void;
}

const MB = 1e6;

export function startCheckpointed(topology: Topology, options: Checkpointed): Promise<Running> {
  const { guarantee, interval, folder, resources = new Map(), log = () => {}, onRead = () => {} } = options;
  const runtime = realRuntime();
  const storeIn = (directory: string): CheckpointStore => {
    const store = openCheckpoints({
      storage: fileStorage(),
      directory: join(directory, 'checkpoints'),
      topology: 'bench',
      soon: runtime.timers.soon,
      log,
    });
    const read = store.read.bind(store);
    store.read = (epoch) => read(epoch).finally(onRead);
    return store;
  };
  const checkpoints = (directory: string, every: number) => ({
    store: storeIn(directory),
    interval: every,
    pause: 10,
    timeout: 60_000,
    outbox: { bytes: 4 * MB, total: 64 * MB, epochs: 64 },
    start: { renamed: new Map(), dropped: new Set<string>() },
  });
  return startTopology(topology.build(), {
    runtime,
    ledger: memoryLedger(),
    resources,
    guarantee,
    freeze: false,
    encodeEdges: false,
    log: (_, text) => log(text),
    ...(folder === undefined || interval === undefined ? {} : { checkpoints: checkpoints(folder, interval) }),
  });
}
