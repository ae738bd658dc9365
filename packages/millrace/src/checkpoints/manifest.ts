/**
 * The manifest: what a file of the checkpoint folder holds, and, of a checkpoint, which parts of which files make up its
 * state. JSON at the end of the file. It is all that is kept in memory of a file.
 */
import type { StateSnapshot } from '../state/keyed-store.ts';
import type { Shapes } from '../state/shape.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { CheckpointFacts, SplitPosition } from './checkpoint-store.ts';

/** A run of records: where it is, its CRC32C, and the first and last key group in it. */
export interface Block {
  readonly at: number;
  readonly bytes: number;
  readonly sum: number;
  readonly first: number;
  readonly last: number;
}

/** Keys of one component, by key group. */
export interface PartEntry {
  readonly component: string;
  readonly shapes: Shapes;
  readonly what: StateSnapshot['what'];
  readonly keys: number;
  readonly blocks: readonly Block[];
}

export interface OutputEntry {
  readonly sink: string;
  readonly entries: number;
  readonly blocks: readonly Block[];
}

/** A part of this file, or of another by its name. */
export interface PartRef {
  readonly file: string | undefined;
  readonly part: number;
}

export interface KeptEpoch {
  readonly epoch: Epoch;
  /** It has outputs that were not published everywhere when this was written. */
  readonly unpublished: boolean;
}

/** What makes a file a checkpoint. */
export interface CheckpointManifest {
  readonly epoch: Epoch;
  readonly facts: CheckpointFacts;
  /** By component, the oldest part first. */
  readonly chains: ReadonlyMap<string, readonly PartRef[]>;
  /** The other files that the chains name, with the checksums of their manifests. */
  readonly files: ReadonlyMap<string, number>;
  /** The checkpoints before it, the newest first, that stay until a newer one is complete. */
  readonly kept: readonly KeptEpoch[];
}

export interface Manifest {
  readonly parts: readonly PartEntry[];
  readonly outputs: readonly OutputEntry[];
  readonly checkpoint: CheckpointManifest | undefined;
}

export function blocksOf({ parts, outputs }: Manifest): Block[] {
  return [...parts, ...outputs].flatMap(({ blocks }) => blocks);
}

export function bytesOf({ blocks }: { readonly blocks: readonly Block[] }): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Of the blocks of a file, the numbers; of a number that JSON has none for, the text. */
type Written = {
  readonly format: 1;
  readonly shapes: readonly Shapes[];
  readonly parts: readonly (readonly [string, number, PartEntry['what'], number, WrittenBlocks])[];
  readonly outputs: readonly (readonly [string, number, WrittenBlocks])[];
  readonly checkpoint?:
    | undefined
    | {
        readonly epoch: WrittenEpoch;
        readonly topology: string;
        readonly at: number;
        readonly parent?: WrittenEpoch;
        readonly sources: readonly (readonly [string, readonly WrittenSplit[]])[];
        readonly watermarks: readonly (readonly [string, WrittenNumber])[];
        readonly values: readonly (readonly [sink: string, values: number])[];
        readonly finished: boolean;
        readonly chains: readonly (readonly [string, readonly (readonly [string | null, number])[]])[];
        readonly files: readonly (readonly [string, number])[];
        readonly kept: readonly (readonly [number, number, boolean])[];
      };
};
type WrittenBlocks = readonly (readonly [number, number, number, number, number])[];
type WrittenEpoch = readonly [incarnation: number, number: number];
type WrittenNumber = number | 'Infinity' | '-Infinity';
type WrittenSplit = readonly [split: string, position: number | null, newest: WrittenNumber, watermark: WrittenNumber];

export function manifestText({ parts, outputs, checkpoint }: Manifest): string {
  const shapes = [...new Set(parts.map((part) => part.shapes))];
  const written: Written = {
    format: 1,
    shapes,
    parts: parts.map((part) => {
      const { component, what, keys, blocks } = part;
      return [component, shapes.indexOf(part.shapes), what, keys, blocks.map(writtenBlock)];
    }),
    outputs: outputs.map(({ sink, entries, blocks }) => [sink, entries, blocks.map(writtenBlock)]),
    ...(checkpoint && { checkpoint: writtenCheckpoint(checkpoint) }),
  };
  return JSON.stringify(written);
}

function writtenCheckpoint({ epoch, facts, chains, files, kept }: CheckpointManifest): Written['checkpoint'] {
  const { topology, at, parent, sources, watermarks, outputs, finished } = facts;
  return {
    epoch: writtenEpoch(epoch),
    topology,
    at,
    ...(parent && { parent: writtenEpoch(parent) }),
    sources: Object.entries(sources).map(([component, splits]) => [component, writtenSplits(splits)]),
    watermarks: Object.entries(watermarks).map(([component, time]) => [component, writtenNumber(time)]),
    values: Object.entries(outputs),
    finished,
    chains: [...chains].map(([component, refs]) => [component, refs.map(({ file, part }) => [file ?? null, part])]),
    files: [...files],
    kept: kept.map(({ epoch, unpublished }) => [epoch.incarnation, epoch.number, unpublished]),
  };
}

const writtenBlock = ({ at, bytes, sum, first, last }: Block) => [at, bytes, sum, first, last] as const;
const writtenEpoch = ({ incarnation, number }: Epoch): WrittenEpoch => [incarnation, number];
const writtenNumber = (value: number) => (Number.isFinite(value) ? value : String(value)) as WrittenNumber;

function writtenSplits(splits: { readonly [split: string]: SplitPosition }): WrittenSplit[] {
  return Object.entries(splits).map(([split, { position, newest, watermark }]) => [
    split,
    position ?? null,
    writtenNumber(newest),
    writtenNumber(watermark),
  ]);
}

/** Undefined: what made the text is newer than this version. */
export function manifestFrom(text: string): Manifest | undefined {
  const { format, shapes, parts, outputs, checkpoint } = JSON.parse(text) as Written;
  if (format !== 1) return undefined;
  const restored = shapes.map(shapesFrom);
  return {
    parts: parts.map(([component, shape, what, keys, blocks]) => {
      return { component, shapes: restored[shape]!, what, keys, blocks: blocks.map(blockFrom) };
    }),
    outputs: outputs.map(([sink, entries, blocks]) => ({ sink, entries, blocks: blocks.map(blockFrom) })),
    checkpoint: checkpoint && checkpointFrom(checkpoint),
  };
}

function checkpointFrom(written: NonNullable<Written['checkpoint']>): CheckpointManifest {
  const { topology, at, parent, sources, watermarks, finished } = written;
  return {
    epoch: epochFrom(written.epoch),
    facts: {
      topology,
      at,
      parent: parent && epochFrom(parent),
      sources: Object.fromEntries(sources.map(([component, splits]) => [component, splitsFrom(splits)])),
      watermarks: Object.fromEntries(watermarks.map(([component, time]) => [component, Number(time)])),
      outputs: Object.fromEntries(written.values),
      finished,
    },
    chains: new Map(
      written.chains.map(([component, refs]) => [
        component,
        refs.map(([file, part]) => ({ file: file ?? undefined, part })),
      ]),
    ),
    files: new Map(written.files),
    kept: written.kept.map(([incarnation, number, unpublished]) => ({ epoch: { incarnation, number }, unpublished })),
  };
}

/** JSON has no undefined. */
function shapesFrom({ states, timers }: Shapes): Shapes {
  return { states: states.map((state) => ({ ...state, ttl: state.ttl })), timers };
}

const blockFrom = ([at, bytes, sum, first, last]: WrittenBlocks[number]): Block => ({ at, bytes, sum, first, last });
const epochFrom = ([incarnation, number]: WrittenEpoch): Epoch => ({ incarnation, number });

function splitsFrom(splits: readonly WrittenSplit[]): { [split: string]: SplitPosition } {
  return Object.fromEntries(
    splits.map(([split, position, newest, watermark]) => [
      split,
      { position: position ?? undefined, newest: Number(newest), watermark: Number(watermark) },
    ]),
  );
}
