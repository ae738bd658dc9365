import { DescribeLogDirs } from '../protocol/messages/cluster.ts';
import { type Call, handler } from '../server/handler.ts';

/** DescribeLogDirs, v1–5: the data directory and what each partition takes there. How large its disk is is not told. */
export const describeLogDirs = handler(
  DescribeLogDirs,
  ({ topics }, call) => ({
    throttleTimeMs: 0,
    errorCode: 0,
    results: [{ errorCode: 0, logDir: call.broker.log.directory.path, topics: sizes(topics, call) }],
  }),
  (_, errorCode) => ({ throttleTimeMs: 0, errorCode, results: [] }),
);

/** What is not there is left out, as in Kafka. */
function sizes(
  asked: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null,
  call: Call,
) {
  const { catalog } = call.broker.log;
  const wanted = asked ?? catalog.names().map((topic) => ({ topic, partitions: undefined }));
  return wanted.flatMap(({ topic: name, partitions }) => {
    const topic = catalog.find(name);
    if (topic === undefined) return [];
    const chosen = topic.partitions.filter(({ partition }) => partitions?.includes(partition) ?? true);
    return {
      name,
      partitions: chosen.map(({ partition, bytes }) => ({
        partitionIndex: partition,
        partitionSize: bytes,
        offsetLag: 0,
        isFutureKey: false,
      })),
    };
  });
}
