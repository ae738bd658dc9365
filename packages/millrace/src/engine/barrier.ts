/**
 * Barriers (law 4): what parts the tuples of one epoch from those of the next. A barrier takes the same way as the tuples;
 * when it comes to a task, all that came before it has been done there, and nothing that comes after it. So what all tasks
 * keep at that moment follows from the same positions of the sources.
 */
import type { SplitPosition } from '../checkpoints/checkpoint-store.ts';
import type { KeyedStore } from '../state/keyed-store.ts';
import type { OutboxChunk } from './checkpoints/outbox-task.ts';

/** What a task gives to the checkpoint. */
export interface TaskPart {
  /** What it keeps per key, and how far event time has come there. */
  readonly state?: { readonly store: KeyedStore; readonly watermark: number };
  /** How far the splits of a log spout have been sent off. */
  readonly splits?: ReadonlyMap<string, SplitPosition>;
  /** What a sink is to publish when the checkpoint is durable, since the barrier before. */
  readonly outputs?: readonly OutboxChunk[];
  /** To be called when it is durable. What it does holds for those before it that were given up as well. */
  readonly completed?: () => void | Promise<void>;
}

export interface Barrier {
  /** A task of a component has come to it. Each task says so once, before it sends the barrier on. */
  passed(component: string, task: number, part: TaskPart): void;
}

/** Where one output of one task hands a barrier to another task. */
export interface BarrierInlet {
  barrier(barrier: Barrier): void;
}
