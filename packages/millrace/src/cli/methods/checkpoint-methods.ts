/** What others can ask about checkpoints: of the running topology, or of the files of those that have stopped. */
import { join } from 'node:path';
import type { CheckpointInfo, CheckpointStore } from '../../checkpoints/checkpoint-store.ts';
import { saveTo } from '../../checkpoints/savepoint.ts';
import type { Running } from '../../engine/running.ts';
import { MillraceError } from '../../errors.ts';
import type { Epoch } from '../../topology/epoch.ts';
import { epochText } from '../../topology/epoch.ts';
import type { KeptCheckpoint, KeptCheckpoints, Methods, Savepoint } from '../api.ts';
import type { CheckpointFolder } from '../checkpoint-folders.ts';
import { openStore, soonOf, topologiesIn } from '../checkpoint-folders.ts';
import { readParams } from './params.ts';

type CheckpointMethod = 'checkpoints.list' | 'savepoint';

type Disk = Pick<CheckpointFolder, 'storage' | 'timers'>;

/** Of a running topology. */
export function checkpointMethods(running: Running, store: CheckpointStore, place: Disk): Methods<CheckpointMethod> {
  return {
    async 'checkpoints.list'() {
      const status = running.checkpoints();
      if (status === undefined) return [];
      // While it is looked at, older ones go.
      const kept = await store.completed('left out');
      return [{ topology: running.name, kept: kept.map(keptCheckpoint), status }];
    },
    async savepoint(params) {
      const asked = savepointParams(params);
      return saved(store, place, running.name, await running.checkpoint(), asked);
    },
  };
}

/** Of topologies that do not run. `folder`: `checkpoints` of the data directory. */
export function keptCheckpointMethods(place: Omit<CheckpointFolder, 'topology'>): Methods<CheckpointMethod> {
  const stores = async <T>(topology: string, use: (store: CheckpointStore) => Promise<T>): Promise<T> => {
    const store = openStore({ ...place, topology }, 1, () => {});
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  };
  return {
    async 'checkpoints.list'() {
      const found = [];
      for (const topology of topologiesIn(place.folder)) {
        const kept = await stores(topology, readable);
        if (kept.kept.length > 0 || kept.problem !== undefined) found.push({ topology, ...kept });
      }
      return found;
    },
    async savepoint(params) {
      const asked = savepointParams(params);
      const topology = asked.topology ?? onlyOne(topologiesIn(place.folder));
      return stores(topology, async (store) => {
        const [newest] = await store.completed();
        if (newest === undefined) throw new MillraceError('MR_NO_CHECKPOINTS', [topology]);
        return saved(store, place, topology, newest.epoch, asked);
      });
    },
  };
}

/** Those that can be read, and why a start would not go on from the newest. */
async function readable(store: CheckpointStore): Promise<Pick<KeptCheckpoints, 'kept' | 'problem'>> {
  try {
    return { kept: (await store.completed()).map(keptCheckpoint) };
  } catch (error) {
    if (!(error instanceof MillraceError && error.code === 'MR_CHECKPOINT_CORRUPT')) throw error;
    return { kept: (await store.completed('left out')).map(keptCheckpoint), problem: error.message };
  }
}

interface Asked {
  readonly beside: string;
  readonly directory: string | undefined;
  readonly topology: string | undefined;
}

function savepointParams(params: unknown): Asked {
  const read = readParams(params);
  return {
    beside: read.text('beside'),
    directory: read.optionalText('directory'),
    topology: read.optionalText('topology'),
  };
}

function onlyOne(topologies: readonly string[]): string {
  if (topologies.length === 1) return topologies[0]!;
  const which =
    topologies.length === 0
      ? 'no topology has left checkpoints here'
      : `name one with --topology: ${topologies.join(', ')}`;
  throw new MillraceError('MR_USAGE', [which]);
}

async function saved(
  store: CheckpointStore,
  { storage, timers }: Disk,
  topology: string,
  epoch: Epoch,
  { beside, directory = join(beside, `savepoint-${topology}-${epochText(epoch)}`) }: Asked,
): Promise<Savepoint> {
  const checkpoint = await store.read(epoch);
  try {
    const { facts } = await saveTo(checkpoint, { storage, directory, soon: soonOf(timers) });
    return { topology, checkpoint: epochText(epoch), at: facts.at, directory };
  } finally {
    checkpoint.release();
  }
}

function keptCheckpoint({ epoch, facts, bytes, keys }: CheckpointInfo): KeptCheckpoint {
  const { at, parent, finished, outputs, sources } = facts;
  const positions = Object.entries(sources).map(([component, splits]) => {
    const of = Object.entries(splits).map(([split, { position }]) => [split, position ?? null] as const);
    return [component, Object.fromEntries(of)] as const;
  });
  return {
    checkpoint: epochText(epoch),
    at,
    ...(parent === undefined ? {} : { parent: epochText(parent) }),
    finished,
    bytes,
    keys,
    outputs,
    sources: Object.fromEntries(positions),
  };
}
