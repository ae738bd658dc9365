/**
 * Kafka's protocol in front of the log of a running topology, for this machine only: kcat and every Kafka client see its
 * topics. The broker is loaded only when it is wanted.
 */
import type { Broker, Log } from '@millrace/broker';

/** Kafka's own. */
export const KAFKA_PORT = 9092;

/** Without `port` the usual one, or where that is taken any free one. A port that was asked for is that one, or CANNOT_LISTEN. */
export async function serveKafka(
  log: Log,
  port: number | undefined,
  onRemark: (remark: string) => void,
): Promise<Broker> {
  const { Broker, LogError } = await import('@millrace/broker');
  const start = (on: number) => Broker.start({ log, port: on, onRemark });
  if (port !== undefined) return start(port);
  return start(KAFKA_PORT).catch((error) => {
    if (error instanceof LogError && error.code === 'CANNOT_LISTEN') return start(0);
    throw error;
  });
}
