/**
 * Savepoints: a checkpoint copied into a folder of its own, as one file that depends on nothing else. It has the form of a
 * checkpoint's file, and all older changes are merged. It is there whole or not at all, and never replaced.
 */
import { MillraceError } from '../errors.ts';
import type { Storage } from '../runtime/storage.ts';
import type { Pause } from './checkpoint-file.ts';
import { CheckpointFile, CheckpointFileWriter, Damage, UNFINISHED } from './checkpoint-file.ts';
import { isMissing, makeFolder, stateOf } from './checkpoint-folder.ts';
import type { CheckpointInfo, SavedCheckpoint } from './checkpoint-store.ts';
import type { Manifest, PartEntry, PartRef } from './manifest.ts';
import { mergedKeys, runsOfEqualShapes } from './merge.ts';
import { infoOf, savedCheckpoint } from './saved-checkpoint.ts';
import { OutputWriter, PartWriter } from './sections.ts';

export interface SavepointPlace {
  readonly storage: Storage;
  /** The savepoint's own folder. It is made, with the folders above it. */
  readonly directory: string;
  /** Runs what it is given when others have had their turn. */
  readonly soon: (callback: () => void) => void;
}

const NAME = 'savepoint';
/** Keys that are copied in one turn. */
const TURN = 512;

/** MR_SAVEPOINT_EXISTS if there is one already. Durable when it resolves; when it rejects, nothing is there. */
export async function saveTo(checkpoint: SavedCheckpoint, place: SavepointPlace): Promise<CheckpointInfo> {
  const { storage, directory } = place;
  await makeFolder(storage, directory);
  const isOwn = !namesIn(place).includes(NAME) && storage.createNew(`${directory}/${NAME}${UNFINISHED}`);
  if (!isOwn) throw new MillraceError('MR_SAVEPOINT_EXISTS', [directory]);
  const file = new CheckpointFileWriter(storage, `${directory}/${NAME}`);
  try {
    const manifest = await copied(checkpoint, file, pauseOf(place));
    return infoOf(await file.finish(manifest, () => {}));
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** All of it is checked: MR_NO_SAVEPOINT if there is none, MR_SAVEPOINT_CORRUPT if it is damaged. */
export async function openSavepoint(place: SavepointPlace): Promise<SavedCheckpoint> {
  const { storage, directory } = place;
  if (!namesIn(place).includes(NAME)) throw new MillraceError('MR_NO_SAVEPOINT', [directory]);
  try {
    const file = CheckpointFile.open(storage, `${directory}/${NAME}`);
    const state = stateOf(file, (name) => {
      throw new Damage(file.path, `it goes on from ${name}: it is no savepoint, but a checkpoint that was copied`);
    });
    for (const section of [...file.manifest.parts, ...file.manifest.outputs])
      await file.verify(section, pauseOf(place));
    return savedCheckpoint(file, state, refusal, () => {});
  } catch (error) {
    throw error instanceof Damage ? refusal(error) : error;
  }
}

function refusal({ path, message }: Damage): Error {
  return new MillraceError('MR_SAVEPOINT_CORRUPT', [path, message]);
}

function pauseOf({ soon }: SavepointPlace): Pause {
  return () => new Promise((resolve) => soon(resolve));
}

function namesIn({ storage, directory }: SavepointPlace): readonly string[] {
  try {
    return storage.list(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function copied(checkpoint: SavedCheckpoint, file: CheckpointFileWriter, pause: Pause): Promise<Manifest> {
  const { epoch, facts } = checkpoint.info;
  const parts: PartEntry[] = [];
  const chains = new Map<string, PartRef[]>();
  for (const component of checkpoint.components) {
    const refs: PartRef[] = [];
    chains.set(component, refs);
    for (const run of runsOfEqualShapes(checkpoint.state(component))) {
      const isFirst = refs.length === 0;
      const part = new PartWriter(file, component, run[0]!.shapes, isFirst ? 'all' : 'changes');
      let looked = 0;
      for (const key of mergedKeys(run, isFirst)) {
        if (key !== undefined) part.add(key);
        if (++looked % TURN === 0) await pause();
      }
      refs.push({ file: undefined, part: parts.length });
      parts.push(part.end());
    }
  }
  const outputs = Object.keys(facts.outputs).map((sink) => {
    const output = new OutputWriter(file, sink);
    for (const entry of checkpoint.outputs(sink)) output.add(entry);
    return output.end();
  });
  return { parts, outputs, checkpoint: { epoch, facts, chains, files: new Map(), kept: [] } };
}
