/** Makes a topic where it is used first, and says where the log's topic is not the one that the topology declares. */
import type { Task } from '../topology/task.ts';
import type { DeclaredTopic } from './topic-log.ts';
import { topicLog } from './topic-log.ts';

/** The number of partitions that the topic has. What an existing topic has wins over what is declared. */
export async function declare(task: Task, topic: DeclaredTopic): Promise<number> {
  const found = await task.use(topicLog).ensureTopic(topic);
  // One line per component, not one per task.
  if (task.index === 0) for (const difference of differences(topic, found)) task.log(difference);
  return found.partitions;
}

function* differences(
  { name, partitions, config }: DeclaredTopic,
  found: { readonly partitions: number; readonly config: object },
): Generator<string> {
  if (partitions !== undefined && partitions !== found.partitions) {
    yield `topic '${name}' has ${found.partitions} partitions, not the ${partitions} declared: it keeps them`;
  }
  const has = found.config as Record<string, unknown>;
  for (const [setting, declared] of Object.entries(config ?? {})) {
    if (has[setting] === undefined || has[setting] === declared) continue;
    yield `topic '${name}' has ${setting}=${has[setting]}, not the ${declared} declared: it keeps it; 'millrace topics' can change it`;
  }
}
