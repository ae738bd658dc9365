/** The topologies, by name. */
import { batches } from './batches.ts';
import { copy } from './copy.ts';
import { deadlines } from './deadlines.ts';
import { featuresOfPayments } from './features.ts';
import { join } from './join.ts';
import { lateness } from './lateness.ts';
import { modes } from './modes.ts';
import { queue } from './queue.ts';
import { queueWithState } from './queue-with-state.ts';
import type { Scenario } from './scenario.ts';
import { slowTable } from './slow-table.ts';
import { wordCount } from './word-count.ts';
import { wordCountAtLeastOnce } from './word-count-at-least-once.ts';

export const scenarios: { readonly [name: string]: Scenario } = {
  'word-count': wordCount,
  'word-count-at-least-once': wordCountAtLeastOnce,
  features: featuresOfPayments,
  join,
  deadlines,
  copy,
  modes,
  'slow-table': slowTable,
  queue,
  'queue-with-state': queueWithState,
  batches,
  lateness,
};
