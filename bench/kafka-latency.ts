/** From handing a record to a producer until a consumer has it, in one process and at a fixed rate, with @platformatic/kafka. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, Producer } from '@platformatic/kafka';

const WARM_UP = 3;
const MEASURED = 10;

export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export async function latencies(bootstrap: string, rate: number): Promise<Latencies> {
  const topic = `latency-${randomUUID()}`;
  const client = { clientId: 'bench', bootstrapBrokers: [bootstrap], autocreateTopics: true };
  const producer = new Producer(client);
  const consumer = new Consumer({ ...client, groupId: topic, minBytes: 1, maxWaitTime: 500 });
  const send = () => {
    const value = Buffer.alloc(100);
    value.writeDoubleBE(performance.now());
    return producer.send({ messages: [{ topic, value }], acks: -1 });
  };
  await send();
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
  const measured: number[] = [];
  const begun = performance.now();
  stream.on('data', ({ value }: { value: Buffer }) => {
    const sent = value.readDoubleBE();
    if (sent > begun + WARM_UP * 1000) measured.push(performance.now() - sent);
  });
  const total = (WARM_UP + MEASURED) * rate;
  const sends: Promise<unknown>[] = [];
  for (let n = 0; n < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * rate));
    for (; n < due; n++) sends.push(send());
    await sleep(1);
  }
  await Promise.all(sends);
  await sleep(1000);
  await stream.close();
  await consumer.close();
  await producer.close();
  const sorted = measured.sort((a, b) => a - b);
  if (sorted.length < MEASURED * rate * 0.99) throw new Error(`only ${sorted.length} records arrived`);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}
