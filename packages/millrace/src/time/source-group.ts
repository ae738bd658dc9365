/** The tasks of one spout component, as far as their event times depend on each other. */
import type { SourceTime } from './source-time.ts';

export class SourceGroup {
  readonly #tasks: SourceTime[] = [];

  add(task: SourceTime): void {
    this.#tasks.push(task);
  }

  /** No split of any task is expected to give a record, and some may. */
  get idle(): boolean {
    let some = false;
    for (const { splits } of this.#tasks) {
      for (const { idle, over } of splits) {
        if (idle) some = true;
        else if (!over) return false;
      }
    }
    return some;
  }

  /** A split has fallen idle, is back, or has ended: the other tasks may have something to say. */
  changed(by: SourceTime): void {
    for (const task of this.#tasks) if (task !== by) task.recall();
  }

  /**
   * Pauses the splits whose watermarks are more than `most` ahead of the slowest one's, and resumes the others. The
   * slowest is never paused, and one that is idle or has ended holds nobody: so somebody can always go on.
   */
  align(most: number): void {
    let slowest = Infinity;
    for (const { splits } of this.#tasks) {
      for (const { idle, over, watermark } of splits) {
        if (!idle && !over && watermark < slowest) slowest = watermark;
      }
    }
    for (const task of this.#tasks) {
      for (const split of task.splits) {
        const farAhead = !split.idle && !split.over && split.watermark > slowest + most;
        if (farAhead !== split.farAhead) task.align(split, farAhead);
      }
    }
  }
}
