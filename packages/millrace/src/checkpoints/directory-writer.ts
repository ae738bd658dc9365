/** One checkpoint that is being written: its sections are gathered into blocks, which go to the file as they are full. */
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { CheckpointFileWriter } from './checkpoint-file.ts';
import type { CheckpointFacts, CheckpointInfo, CheckpointWriter } from './checkpoint-store.ts';
import type { Block, OutputEntry, PartEntry } from './manifest.ts';
import { EntryBlocks, KeyBlocks } from './records.ts';

/** Keys of a component on their way into a file. */
export class PartWriter {
  readonly #component: string;
  readonly #shapes: Shapes;
  readonly #what: StateSnapshot['what'];
  readonly #blocks: Block[] = [];
  readonly #keys: KeyBlocks;

  constructor(file: CheckpointFileWriter, component: string, shapes: Shapes, what: StateSnapshot['what']) {
    this.#component = component;
    this.#shapes = shapes;
    this.#what = what;
    this.#keys = new KeyBlocks((bytes, first, last) => void this.#blocks.push(file.block(bytes, first, last)));
  }

  get what(): StateSnapshot['what'] {
    return this.#what;
  }

  add(key: SavedKey): void {
    this.#keys.add(key);
  }

  end(): PartEntry {
    this.#keys.flush();
    return {
      component: this.#component,
      shapes: this.#shapes,
      what: this.#what,
      keys: this.#keys.keys,
      blocks: this.#blocks,
    };
  }
}

interface OutputWriter {
  readonly entries: EntryBlocks;
  readonly blocks: Block[];
}

export class DirectoryWriter implements CheckpointWriter {
  readonly file: CheckpointFileWriter;
  readonly #complete: (facts: CheckpointFacts) => Promise<CheckpointInfo>;
  readonly #abandon: () => void;
  readonly #parts = new Map<string, PartWriter>();
  readonly #outputs = new Map<string, OutputWriter>();

  constructor(
    file: CheckpointFileWriter,
    complete: (facts: CheckpointFacts) => Promise<CheckpointInfo>,
    abandon: () => void,
  ) {
    this.file = file;
    this.#complete = complete;
    this.#abandon = abandon;
  }

  state(component: string, shapes: Shapes, what: StateSnapshot['what'], keys: readonly SavedKey[]): void {
    let part = this.#parts.get(component);
    if (part === undefined) {
      part = new PartWriter(this.file, component, shapes, what);
      this.#parts.set(component, part);
    }
    if (part.what !== what) throw new Error(`tasks of '${component}' gave snapshots of all and of changes together`);
    for (const key of keys) part.add(key);
  }

  outputs(sink: string, entries: readonly Uint8Array[]): void {
    let output = this.#outputs.get(sink);
    if (output === undefined) {
      const blocks: Block[] = [];
      output = { entries: new EntryBlocks((bytes) => void blocks.push(this.file.block(bytes, 0, 0))), blocks };
      this.#outputs.set(sink, output);
    }
    for (const entry of entries) output.entries.add(entry);
  }

  complete(facts: CheckpointFacts): Promise<CheckpointInfo> {
    return this.#complete(facts);
  }

  abandon(): void {
    this.file.discard();
    this.#abandon();
  }

  endParts(): PartEntry[] {
    return [...this.#parts.values()].map((part) => part.end());
  }

  endOutputs(): OutputEntry[] {
    return [...this.#outputs].map(([sink, { entries, blocks }]) => {
      entries.flush();
      return { sink, entries: entries.entries, blocks };
    });
  }
}
