/** For what cannot be shared between tasks: a file that is written, a port that is listened on. */
import { MillraceError } from '../errors.ts';
import type { Task } from '../topology/task.ts';

/** Refuses a component of more than one task. */
export function singleTask(task: Task, because: string): void {
  if (task.parallelism > 1)
    throw new MillraceError('MR_OPTION', [task.component, 'parallelism', task.parallelism, `1: ${because}`]);
}
