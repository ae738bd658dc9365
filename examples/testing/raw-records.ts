/**
 * A topology for tests: writes texts to a topic as they are, null as a record without a value, and ends. It stands for
 * whatever else writes to a topic, and does not keep to what the topology that reads it expects.
 */
import { generatorSpout, sink, topology } from 'millrace';
import { topicLog } from 'millrace/topic';
import * as z from 'zod';

const Config = z.object({ topic: z.string(), values: z.array(z.string().nullable()) });

export default topology('raw-records', (t) => {
  const { topic, values } = t.config(Config);
  const lines = t.spout(
    'values',
    generatorSpout(() => values),
  );
  const write = sink<string | null>({
    mode: 'append',
    batch: { size: 1000, every: 0 },
    async open(task) {
      const log = task.use(topicLog);
      await log.ensureTopic({ name: topic });
      const bytes = (text: string | null) => (text === null ? null : new TextEncoder().encode(text));
      return {
        write: (texts, times) =>
          log.produce(
            topic,
            // Of one key, so that they stay in order.
            texts.map((text, i) => ({ key: bytes('raw'), value: bytes(text), timestamp: times[i]! })),
          ),
      };
    },
  });
  t.sink('write', lines.shuffle(), write);
});
