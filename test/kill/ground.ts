/** Where the topics are: in the data directory of the job, at our broker in a process of its own, at Apache Kafka. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { Child } from './child.ts';
import { type Feed, feedFile } from './feed.ts';
import { feedTopic } from './producer.ts';
import type { Scenario } from './scenario.ts';

export interface Ground {
  readonly name: string;
  /** Of `millrace run`. */
  readonly args: readonly string[];
  readonly config: Readonly<Record<string, string>>;
  feed(scenario: Scenario, perSecond: number): Feed;
  /** Where the topics are read from while this job runs. */
  bootstrapOf(job: Child): Promise<string>;
  /** The same when no job runs. */
  readable(): Promise<string>;
  /** Kills the broker, and starts it again with its data. */
  readonly killBroker?: () => Promise<void>;
  close(): Promise<void>;
}

const ADDRESS = /kafka +(127\.0\.0\.1:\d+)/;

/** `port`: of Kafka's protocol, any free one by default. */
export function embedded(folder: string, port = 0): Ground {
  const data = join(folder, 'data');
  const file = join(folder, 'input.jsonl');
  let broker: Child | undefined;
  return {
    name: 'the embedded log',
    args: ['--data', data, '--kafka-port', String(port)],
    config: { file },
    feed: (scenario, perSecond) => feedFile(scenario, file, perSecond),
    bootstrapOf: async (job) => (await job.says(ADDRESS))[1]!,
    async readable() {
      broker = Child.millrace('the broker', ['broker', '--data', data, '--port', '0']);
      return (await broker.says(ADDRESS))[1]!;
    },
    close: async () => void (await broker?.kill()),
  };
}

export async function overTcp(folder: string): Promise<Ground> {
  const port = await freePort();
  const start = async () => {
    const started = Child.millrace('the broker', ['broker', '--data', join(folder, 'broker'), '--port', String(port)]);
    await started.says(ADDRESS);
    return started;
  };
  let broker = await start();
  return {
    ...atBrokers('our broker, by TCP', folder, `127.0.0.1:${port}`),
    async killBroker() {
      await broker.kill();
      broker = await start();
    },
    close: async () => void (await broker.kill()),
  };
}

export function atApacheKafka(folder: string, bootstrap: string): Ground {
  return { ...atBrokers('Apache Kafka', folder, bootstrap), close: async () => {} };
}

function atBrokers(name: string, folder: string, bootstrap: string): Omit<Ground, 'close'> {
  return {
    name,
    args: ['--data', join(folder, 'data'), '--brokers', bootstrap],
    config: {},
    feed: (scenario, perSecond) => feedTopic(scenario, bootstrap, perSecond),
    bootstrapOf: async () => bootstrap,
    readable: async () => bootstrap,
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
