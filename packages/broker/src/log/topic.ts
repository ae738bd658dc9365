import type { TopicConfig } from './api.ts';
import type { Partition } from './partition.ts';

/** A topic that is open. `config` changes when it is altered; a deleted one stays known to who held it. */
export interface Topic {
  readonly name: string;
  readonly id: string;
  readonly partitions: Partition[];
  config: TopicConfig;
  /** What of it was set; the rest are defaults. */
  set: Partial<TopicConfig>;
  deleted: boolean;
}
