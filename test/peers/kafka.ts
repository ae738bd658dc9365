/**
 * Apache Kafka on this machine: one node, KRaft, its files in a folder of its own. It is gone when `stop` is done, and
 * when the process that started it dies, however that dies. By hand: `npm run kafka` prints the address and waits.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classPath, kafkaVersion, whyNoJava } from './java.ts';

interface KafkaOptions {
  /** Flush each batch to disk before it is acknowledged, as our broker does; off by default, as Kafka has it. */
  readonly fsync?: boolean;
  /** Java's heap in MB. */
  readonly heap?: number;
  /** Settings of server.properties, over those below. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface Kafka {
  readonly bootstrap: string;
  readonly version: string;
  readonly pid: number;
  /** From the start of its process, its folder formatted before. */
  readonly readyMs: number;
  readonly stop: () => Promise<void>;
}

const readyWithin = 60_000;
const stopWithin = 20_000;
const attempts = 3;

/** Ready when it returns: every listener is open and the broker is no longer fenced. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(await freePorts(), options);
    } catch (error) {
      // A port that was free a moment ago may have been taken since.
      if (attempt === attempts || !/Address already in use|BindException/.test(String(error))) throw error;
    }
  }
}

interface Ports {
  readonly client: number;
  readonly controller: number;
}

async function startOn(ports: Ports, options: KafkaOptions): Promise<Kafka> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
  const config = join(folder, 'server.properties');
  writeFileSync(config, properties(folder, ports, options));
  const java = [`-Xmx${options.heap ?? 512}m`, ...javaFlags, '-cp', classPath('server')];
  try {
    format(java, config);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const began = performance.now();
  const child = spawn('java', [...java, 'kafka.Kafka', config], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const keeper = keep(child, folder);
  const stop = async () => {
    if (running(child)) {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), stopWithin);
      await once(child, 'exit');
      clearTimeout(late);
    }
    keeper.stdin?.end();
    if (running(keeper)) await once(keeper, 'exit');
  };
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const readyMs = performance.now() - began;
  const bootstrap = `127.0.0.1:${ports.client}`;
  return { bootstrap, version: kafkaVersion('server'), pid: child.pid ?? 0, readyMs, stop };
}

const running = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** As Kafka's own start script has them, so that figures taken here are Kafka's; of its log, warnings and the start. */
const javaFlags = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
];
const startedLine = /Kafka Server started/;

function properties(folder: string, { client, controller }: Ports, { fsync, settings }: KafkaOptions): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${client}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 4 << 20,
    ...(fsync ? { 'log.flush.interval.messages': 1 } : {}),
    ...settings,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function format(java: readonly string[], config: string): void {
  const args = [...java, 'kafka.tools.StorageTool', 'format', '-t', 'bWlsbHJhY2UtdGVzdHMtMQ', '-c', config];
  const { status, stdout, stderr } = spawnSync('java', args, { encoding: 'utf8', timeout: readyWithin });
  if (status !== 0) throw new Error(`Apache Kafka's folder was not formatted:\n${stdout}\n${stderr}`);
}

/** A shell that waits until this process lets go of its input, by intent or by dying, and then clears up. */
function keep(child: ChildProcess, folder: string): ChildProcess {
  const script = 'trap "" INT TERM HUP; cat > /dev/null; kill -9 "$1" 2> /dev/null; rm -rf "$2"';
  return spawn('sh', ['-c', script, 'keeper', String(child.pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

/** The broker writes that line when its last listener is open. */
async function ready(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let log = '';
  const failed = (why: string) => reject(new Error(`Apache Kafka did not start: ${why}\n${log.slice(-4000)}`));
  const late = setTimeout(() => failed(`it was not ready within ${readyWithin} ms`), readyWithin);
  child.once('error', (error) => failed(error.message));
  child.once('close', (code, signal) => failed(`it ended with ${code ?? signal}`));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-8000);
    if (startedLine.test(log)) resolve();
  });
  try {
    await promise;
  } finally {
    clearTimeout(late);
  }
}

async function freePorts(): Promise<Ports> {
  const servers = [createServer(), createServer()];
  const [client = 0, controller = 0] = await Promise.all(
    servers.map(async (server) => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return { client, controller };
}

if (import.meta.main) {
  const reason = whyNoJava('server');
  if (reason !== undefined) {
    console.error(reason);
    process.exit(1);
  }
  const kafka = await startKafka({ fsync: process.argv.includes('--fsync') });
  console.log(kafka.bootstrap);
  await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  await kafka.stop();
}
