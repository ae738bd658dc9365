/** Sections of a file on their way into it: what they are given is gathered into blocks, which are written when they are full. */
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { CheckpointFileWriter } from './checkpoint-file.ts';
import type { Block, OutputEntry, PartEntry } from './manifest.ts';
import { EntryBlocks, KeyBlocks } from './records.ts';

/** Keys of a component, by key group. */
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

/** What a sink has to publish. */
export class OutputWriter {
  readonly #sink: string;
  readonly #blocks: Block[] = [];
  readonly #entries: EntryBlocks;

  constructor(file: CheckpointFileWriter, sink: string) {
    this.#sink = sink;
    this.#entries = new EntryBlocks((bytes) => void this.#blocks.push(file.block(bytes, 0, 0)));
  }

  add(entry: Uint8Array): void {
    this.#entries.add(entry);
  }

  end(): OutputEntry {
    this.#entries.flush();
    return { sink: this.#sink, entries: this.#entries.entries, blocks: this.#blocks };
  }
}
