/** A part of a component's state where it is stored. */
import type { SavedKey, StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { SavedPart } from './checkpoint-store.ts';
import type { PartEntry, PartRef } from './manifest.ts';
import { bytesOf } from './manifest.ts';

export class StoredPart implements SavedPart {
  readonly file: CheckpointFile;
  readonly entry: PartEntry;
  readonly bytes: number;
  /** Equal for equal shapes. */
  readonly shapesText: string;

  constructor(file: CheckpointFile, entry: PartEntry) {
    this.file = file;
    this.entry = entry;
    this.bytes = bytesOf(entry);
    this.shapesText = JSON.stringify(entry.shapes);
  }

  get shapes(): Shapes {
    return this.entry.shapes;
  }

  get what(): StateSnapshot['what'] {
    return this.entry.what;
  }

  get ref(): PartRef {
    return { file: this.file.name, part: this.file.manifest.parts.indexOf(this.entry) };
  }

  keys(from: number, to: number): Iterable<SavedKey> {
    return this.file.keys(this.entry, from, to);
  }
}

/** The parts that make up each component's state now. Merging puts one part in the place of several, and nothing else does. */
export class Chains {
  readonly #parts = new Map<string, StoredPart[]>();

  of(component: string): readonly StoredPart[] {
    return this.#parts.get(component) ?? [];
  }

  all(): ReadonlyMap<string, readonly StoredPart[]> {
    return this.#parts;
  }

  set(component: string, parts: readonly StoredPart[]): void {
    this.#parts.set(component, [...parts]);
  }

  add(component: string, part: StoredPart): void {
    const parts = this.#parts.get(component);
    if (parts === undefined) this.#parts.set(component, [part]);
    else parts.push(part);
  }

  keepOnly(components: ReadonlySet<string>): void {
    for (const component of this.#parts.keys()) if (!components.has(component)) this.#parts.delete(component);
  }

  /** Whether these parts stand there, one after the other. */
  has(component: string, run: readonly StoredPart[]): boolean {
    const from = this.of(component).indexOf(run[0]!);
    return from >= 0 && run.every((part, i) => this.of(component)[from + i] === part);
  }

  replace(component: string, run: readonly StoredPart[], merged: StoredPart): void {
    const parts = this.#parts.get(component)!;
    parts.splice(parts.indexOf(run[0]!), run.length, merged);
  }
}
