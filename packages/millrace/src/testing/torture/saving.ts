/** What tasks keep, taken from them and given to others: as checkpoints will do it, key group by key group (law 6). */
import type { EngineTask } from '../../engine/station.ts';
import { SyncTask } from '../../engine/sync-task.ts';
import type { SavedKey, StateSnapshot } from '../../state/keyed-store.ts';
import { taskOfKeyGroup } from '../../topology/key.ts';

/** Keys saved at once. */
const SLICE = 7;

export interface Saved {
  readonly shapes: StateSnapshot['shapes'];
  readonly keys: readonly SavedKey[];
}

/** A snapshot of each task that is being taken, a key at a time, while steps go on. */
export interface Begun {
  readonly watermark: number;
  /** How much had come out when it began. */
  readonly came: number;
  readonly taking: readonly { readonly snapshot: StateSnapshot; readonly keys: SavedKey[] }[];
}

function snapshots(tasks: readonly EngineTask[], what: 'all' | 'changes'): readonly StateSnapshot[] {
  return tasks.flatMap((task) => task.timeReport()?.state?.snapshot(what) ?? []);
}

function finish(snapshot: StateSnapshot, before: readonly SavedKey[] = []): Saved {
  const keys = [...before];
  while (!snapshot.done) keys.push(...snapshot.advance(SLICE));
  return { shapes: snapshot.shapes, keys };
}

export function savedOf(tasks: readonly EngineTask[], what: 'all' | 'changes'): readonly Saved[] {
  return snapshots(tasks, what).map((snapshot) => finish(snapshot));
}

export function begun(tasks: readonly EngineTask[], came: number): Begun {
  const taking = snapshots(tasks, 'all').map((snapshot) => ({ snapshot, keys: [] }));
  return { watermark: leastOf(tasks), came, taking };
}

export function goOn({ taking }: Begun): void {
  for (const { snapshot, keys } of taking) if (!snapshot.done) keys.push(...snapshot.advance(1));
}

export function finished({ taking }: Begun): readonly Saved[] {
  return taking.map(({ snapshot, keys }) => finish(snapshot, keys));
}

/** The watermark that holds for all of them: each has seen it. */
export function leastOf(tasks: readonly EngineTask[]): number {
  return Math.min(...tasks.map((task) => task.timeReport()!.watermark));
}

/** Into new tasks, which have not begun. */
export function resume(tasks: readonly EngineTask[], saved: readonly Saved[], watermark: number): void {
  for (const [index, task] of tasks.entries()) {
    if (!(task instanceof SyncTask)) continue;
    const own = ({ group }: SavedKey) => taskOfKeyGroup(group, tasks.length) === index;
    for (const { shapes, keys } of saved) task.timeReport().state?.restore(shapes, keys.filter(own));
    task.resume(watermark);
  }
}
