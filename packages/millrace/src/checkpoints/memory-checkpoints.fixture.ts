/** Checkpoints in memory, for tests of the engine: what the seam promises and nothing else, and it expects as much. */
import assert from 'node:assert/strict';
import { MillraceError } from '../errors.ts';
import type { SavedKey } from '../state/keyed-store.ts';
import type { Epoch } from '../topology/epoch.ts';
import { compareEpochs } from '../topology/epoch.ts';
import type {
  CheckpointFacts,
  CheckpointInfo,
  CheckpointStore,
  CheckpointWriter,
  SavedCheckpoint,
  SavedPart,
} from './checkpoint-store.ts';

interface Completed {
  readonly info: CheckpointInfo;
  readonly parts: ReadonlyMap<string, readonly (SavedPart & { readonly all: readonly SavedKey[] })[]>;
  readonly outputs: ReadonlyMap<string, readonly Uint8Array[]>;
}

export class MemoryCheckpoints {
  /** In the order of completion. */
  readonly completed: Completed[] = [];
  claims = 0;
  /** How long a completion takes, and whether it fails. */
  complete: () => Promise<void> = async () => {};
  publishedUpTo: Epoch | undefined;

  get newest(): Completed | undefined {
    return [...this.completed].sort((a, b) => compareEpochs(b.info.epoch, a.info.epoch))[0];
  }

  /** For one start. */
  open(): CheckpointStore {
    let incarnation = 0;
    let base: Completed | undefined;
    let writing: CheckpointWriter | undefined;
    return {
      claim: async (above = 0) => {
        this.claims = Math.max(this.claims, above) + 1;
        incarnation = this.claims;
        return incarnation;
      },
      newestClaim: () => this.claims,
      completed: async () => {
        const found: CheckpointInfo[] = [];
        for (let at = this.newest; at !== undefined; ) {
          found.push(at.info);
          const { parent } = at.info.facts;
          at = parent && this.completed.find(({ info }) => compareEpochs(info.epoch, parent) === 0);
        }
        return found;
      },
      read: async (epoch) => this.read(epoch),
      resume: (from) => {
        base = from && this.completed.find(({ info }) => compareEpochs(info.epoch, from) === 0);
      },
      begin: (number) => {
        assert.equal(writing, undefined, 'one at a time');
        writing = this.#writer({ incarnation, number }, base, (done) => {
          writing = undefined;
          base = done ?? base;
        });
        return writing;
      },
      published: (epoch) => {
        assert.ok(this.publishedUpTo === undefined || compareEpochs(epoch, this.publishedUpTo) > 0);
        this.publishedUpTo = epoch;
      },
      close: async () => {},
    };
  }

  read(epoch: Epoch): SavedCheckpoint {
    const { info, parts, outputs } = this.completed.find((one) => compareEpochs(one.info.epoch, epoch) === 0)!;
    return {
      info,
      components: [...parts.keys()],
      state: (component) => parts.get(component) ?? [],
      outputs: (sink) => outputs.get(sink) ?? [],
      release: () => {},
    };
  }

  #writer(epoch: Epoch, base: Completed | undefined, ended: (done?: Completed) => void): CheckpointWriter {
    const added = new Map<string, { shapes: SavedPart['shapes']; what: SavedPart['what']; all: SavedKey[] }>();
    const outputs = new Map<string, readonly Uint8Array[]>();
    let last: string | undefined;
    return {
      state: (component, shapes, what, keys) => {
        const part = added.get(component) ?? { shapes, what, all: [] };
        assert.ok(last === component || !added.has(component), 'component by component');
        last = component;
        for (const key of keys) {
          assert.ok(key.group >= (part.all.at(-1)?.group ?? 0), 'key groups ascend');
          part.all.push(key);
        }
        added.set(component, part);
      },
      outputs: (sink, entries) => void outputs.set(sink, entries),
      complete: async (facts: CheckpointFacts) => {
        try {
          await this.complete();
        } catch (thrown) {
          ended();
          throw thrown;
        }
        if (this.claims > epoch.incarnation) {
          ended();
          throw new MillraceError('MR_SUPERSEDED', [facts.topology, epoch.incarnation, this.claims]);
        }
        const parts = new Map<string, (SavedPart & { all: readonly SavedKey[] })[]>();
        let keys = 0;
        for (const [component, { shapes, what, all }] of added) {
          const before = what === 'all' ? [] : (base?.parts.get(component) ?? []);
          const part = {
            shapes,
            what,
            all,
            keys: (from: number, to: number) => all.filter(({ group }) => group >= from && group < to),
          };
          parts.set(component, [...before, part]);
          keys += all.length;
        }
        const counts = Object.fromEntries([...outputs].map(([sink, entries]) => [sink, entries.length]));
        const info = { epoch, facts, bytes: 0, keys, outputs: counts };
        const done = { info, parts, outputs };
        this.completed.push(done);
        ended(done);
        return info;
      },
      abandon: () => ended(),
    };
  }
}
