/** How the files of a checkpoint folder are called: by numbers, so that names sort as what they name. */
import type { Epoch } from '../topology/epoch.ts';
import { UNFINISHED } from './checkpoint-file.ts';

export interface FileName {
  readonly name: string;
  /** Of a merged file the second number only counts those of its incarnation. */
  readonly epoch: Epoch;
  readonly kind: 'checkpoint' | 'merged';
  readonly isFinished: boolean;
}

export function checkpointName(epoch: Epoch): string {
  return nameOf(epoch, 'checkpoint');
}

export function mergedName(incarnation: number, count: number): string {
  return nameOf({ incarnation, number: count }, 'merged');
}

export function claimName(incarnation: number): string {
  return padded(incarnation);
}

function nameOf({ incarnation, number }: Epoch, kind: FileName['kind']): string {
  return `${padded(incarnation)}-${padded(number)}.${kind}`;
}

function padded(number: number): string {
  return String(number).padStart(8, '0');
}

/** Undefined: the file is none of ours. */
export function fileName(name: string): FileName | undefined {
  const isFinished = !name.endsWith(UNFINISHED);
  const stem = isFinished ? name : name.slice(0, -UNFINISHED.length);
  const [, incarnation, number, kind] = /^(\d{8,15})-(\d{8,15})\.(checkpoint|merged)$/.exec(stem) ?? [];
  if (kind === undefined) return undefined;
  const epoch = { incarnation: Number(incarnation), number: Number(number) };
  return { name, epoch, kind: kind as FileName['kind'], isFinished };
}

/** Undefined: it is no claim. */
export function claimed(name: string): number | undefined {
  return /^\d{8,15}$/.test(name) ? Number(name) : undefined;
}
