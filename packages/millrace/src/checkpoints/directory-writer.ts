/** One checkpoint that is being written. */
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { CheckpointFileWriter } from './checkpoint-file.ts';
import type { CheckpointFacts, CheckpointInfo, CheckpointWriter } from './checkpoint-store.ts';
import type { OutputEntry, PartEntry } from './manifest.ts';
import { OutputWriter, PartWriter } from './sections.ts';

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
      output = new OutputWriter(this.file, sink);
      this.#outputs.set(sink, output);
    }
    for (const entry of entries) output.add(entry);
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
    return [...this.#outputs.values()].map((output) => output.end());
  }
}
