/**
 * A job that keeps checkpoints, and knows what each of them must hold: a few components whose keys change under a seed, and
 * outputs that are published some time later. What a store gives back after a crash is compared with that.
 */
import assert from 'node:assert/strict';
import type { Storage } from '../runtime/storage.ts';
import type { Epoch } from '../topology/epoch.ts';
import { compareEpochs, epochText } from '../topology/epoch.ts';
import type { Key } from '../topology/key.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { facts, keysOf, open, outputsOf, shapes, stateOf } from './checkpoints.fixture.ts';
import type { CheckpointsOptions } from './directory-checkpoints.ts';

type State = ReadonlyMap<string, ReadonlyMap<Key, string>>;

/** What a checkpoint must hold. */
interface Entry {
  readonly epoch: Epoch;
  readonly parent: Epoch | undefined;
  readonly state: State;
  readonly outputs: readonly string[];
}

const COMPONENTS = ['count', 'join', 'rare'];

export class Job {
  store!: CheckpointStore;
  lines: string[] = [];
  readonly #random: () => number;
  readonly #keys: number;
  readonly #entries = new Map<string, Entry>();
  /** The last completed one, or the one that was restored; and newer ones of which nobody knows whether they are complete. */
  #last: Entry | undefined;
  #doubtful: Entry[] = [];
  #state = new Map<string, Map<Key, string>>();
  /** Since the last completed one. */
  #changes = new Map<string, Map<Key, string | undefined>>();
  #whole = new Set<string>();
  #outputs: string[] = [];
  #incarnation = 0;
  #number = 0;
  #values = 0;
  #published: Epoch | undefined;

  constructor(random: () => number, keys = 12) {
    this.#random = random;
    this.#keys = keys;
  }

  /** Starts on what is on the disk, which must be the last completed checkpoint or one that was under way, whole. */
  async start(storage: Storage, options: Partial<CheckpointsOptions> = {}): Promise<void> {
    const { store, lines } = open(storage, options);
    this.store = store;
    this.lines = lines;
    this.#incarnation = await store.claim();
    const completed = await store.completed();
    const newest = completed[0]?.epoch;
    const allowed = [this.#last, ...this.#doubtful].map((entry) => entry?.epoch);
    assert.ok(
      allowed.some((epoch) => epoch?.number === newest?.number && epoch?.incarnation === newest?.incarnation),
      `${newest && epochText(newest)} was found instead of ${allowed.map((epoch) => epoch && epochText(epoch)).join(' or ')}`,
    );
    for (const { epoch } of completed) await this.#expect(epoch);
    await this.#expectUnpublished(
      newest,
      completed.map(({ epoch }) => epochText(epoch)),
    );
    const entry = newest && this.#entries.get(epochText(newest))!;
    store.resume(newest);
    this.#last = entry;
    this.#doubtful = [];
    this.#state = new Map([...(entry?.state ?? [])].map(([name, values]) => [name, new Map(values)]));
    this.#changes = new Map();
    this.#whole = new Set(COMPONENTS.filter((name) => !this.#state.has(name)));
    this.#outputs = [];
  }

  /** Something happens, and then there is a checkpoint of it. */
  async checkpoint(): Promise<void> {
    for (const name of COMPONENTS) this.#change(name);
    this.#outputs.push(...Array.from({ length: Math.floor(this.#random() * 3) }, () => `output ${this.#values++}`));
    const entry: Entry = {
      epoch: { incarnation: this.#incarnation, number: ++this.#number },
      parent: this.#last?.epoch,
      state: new Map([...this.#state].map(([name, values]) => [name, new Map(values)])),
      outputs: [...this.#outputs],
    };
    this.#entries.set(epochText(entry.epoch), entry);
    this.#doubtful.push(entry);
    await this.#write(entry);
    this.#last = entry;
    this.#doubtful = [];
    this.#changes = new Map();
    this.#whole.clear();
    this.#outputs = [];
  }

  /** The outputs of all that is complete, or of all but the last of them, are published. */
  publish(butTheLast: boolean): void {
    const epoch = butTheLast ? this.#last?.parent : this.#last?.epoch;
    if (epoch === undefined || (this.#published !== undefined && compareEpochs(epoch, this.#published) <= 0)) return;
    this.#published = epoch;
    this.store.published(epoch);
  }

  #change(name: string): void {
    const luck = this.#random();
    if (name === 'rare' && luck < 0.7) return;
    if (luck > 0.97) {
      this.#state.delete(name);
      this.#changes.delete(name);
      this.#whole.add(name);
      return;
    }
    const values = this.#state.get(name) ?? new Map<Key, string>();
    const changes = this.#changes.get(name) ?? new Map<Key, string | undefined>();
    this.#state.set(name, values);
    this.#changes.set(name, changes);
    for (let n = 0; n < this.#keys / 4; n++) {
      const key = `key ${Math.floor(this.#random() * this.#keys)}`;
      const value = this.#random() < 0.2 ? undefined : `value ${this.#values++}`;
      if (value === undefined) values.delete(key);
      else values.set(key, value);
      changes.set(key, value);
    }
  }

  async #write({ epoch, parent, state, outputs }: Entry): Promise<void> {
    const writer = this.store.begin(epoch.number);
    for (const [name, values] of state) {
      const isWhole = this.#whole.has(name);
      const keys = keysOf(isWhole ? values : (this.#changes.get(name) ?? new Map()));
      const half = Math.floor(keys.length / 2);
      for (const slice of [keys.slice(0, half), keys.slice(half)])
        writer.state(name, shapes, isWhole ? 'all' : 'changes', slice);
    }
    if (outputs.length > 0)
      writer.outputs(
        'sink',
        outputs.map((one) => Buffer.from(one)),
      );
    const counts: Record<string, number> = outputs.length > 0 ? { sink: outputs.length } : {};
    await writer.complete(facts(epoch.number, parent, { outputs: counts }));
  }

  async #expect(epoch: Epoch): Promise<void> {
    const entry = this.#entries.get(epochText(epoch))!;
    const saved = await this.store.read(epoch);
    assert.deepEqual(saved.info.epoch, epoch);
    assert.deepEqual(saved.info.facts.parent, entry.parent);
    assert.deepEqual([...saved.components].sort(), [...entry.state.keys()].sort());
    for (const [name, values] of entry.state)
      assert.deepEqual(stateOf(saved, name), values, `${name} of ${epochText(epoch)}`);
    assert.deepEqual(outputsOf(saved, 'sink'), entry.outputs);
    saved.release();
  }

  /** What leads to the newest one, and is not published everywhere, is there. */
  async #expectUnpublished(newest: Epoch | undefined, kept: readonly string[]): Promise<void> {
    for (let at = newest; at !== undefined; at = this.#entries.get(epochText(at))!.parent) {
      if (this.#published !== undefined && compareEpochs(at, this.#published) <= 0) return;
      const { outputs } = this.#entries.get(epochText(at))!;
      if (outputs.length > 0) assert.ok(kept.includes(epochText(at)), `the outputs of ${epochText(at)} are lost`);
    }
  }
}

/** Lets what goes on in the background go on for a while. */
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}
