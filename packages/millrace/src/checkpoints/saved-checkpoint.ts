/** A checkpoint as it lies in its files: what it says, looked up when it is asked for. */
import type { SavedKey } from '../state/keyed-store.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import { Damage } from './checkpoint-file.ts';
import type { State } from './checkpoint-folder.ts';
import type { CheckpointInfo, SavedCheckpoint } from './checkpoint-store.ts';
import type { StoredPart } from './stored-part.ts';

export function infoOf(file: CheckpointFile): CheckpointInfo {
  const { epoch, facts } = file.checkpoint;
  const { parts } = file.manifest;
  return {
    epoch,
    facts,
    bytes: file.bytes,
    keys: parts.reduce((sum, { keys }) => sum + keys, 0),
  };
}

/** `refusal` is what is thrown for damage that is found while it is read; `release` is told when it is read no more. */
export function savedCheckpoint(
  file: CheckpointFile,
  state: State,
  refusal: (damage: Damage) => Error,
  release: () => void,
): SavedCheckpoint {
  const refused = (error: unknown) => (error instanceof Damage ? refusal(error) : error);
  const partOf = (part: StoredPart) => ({
    shapes: part.shapes,
    what: part.what,
    *keys(from: number, to: number): Generator<SavedKey> {
      try {
        yield* part.keys(from, to);
      } catch (error) {
        throw refused(error);
      }
    },
  });
  return {
    info: infoOf(file),
    components: [...state.keys()],
    state: (component) => (state.get(component) ?? []).map(partOf),
    outputs(sink) {
      const output = file.manifest.outputs.find((one) => one.sink === sink);
      try {
        return output === undefined ? [] : file.entries(output);
      } catch (error) {
        throw refused(error);
      }
    },
    release,
  };
}
