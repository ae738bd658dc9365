/** The reader of a task that was given no split of a log spout: it has nothing, and never will. */
import type { LogReader } from '../topology/spout.ts';

export const idleReader: LogReader = { seek() {}, pause() {}, resume() {}, next: () => false, commit: async () => {} };
