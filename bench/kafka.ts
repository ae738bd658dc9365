/**
 * The broker against Apache Kafka on this machine, in one run: the same Java client with its defaults, the same
 * durability, one topic of four partitions, turn by turn. Apache Kafka flushes each batch where fsync is on
 * (log.flush.interval.messages=1). Rates are records per second; processor time is the broker's alone.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classPath, kafkaVersion, whyNoJava } from '../test/peers/java.ts';
import { startKafka } from '../test/peers/kafka.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';
import { latencies } from './kafka-latency.ts';

const ROOT = join(import.meta.dirname, '..');
const ROUNDS = 3;
const PARTITIONS = 4;
const RECORD_SIZES = [100, 1000] as const;
/** Bytes of records per run. */
const VOLUME = { 100: 200e6, 1000: 600e6 } as const;
const LATENCY_RATE = 1000;

interface Peer {
  readonly name: string;
  readonly bootstrap: string;
  readonly pid: number;
  /** From the start of the process. */
  readonly readyMs: number;
  readonly stop: () => Promise<void>;
}

async function startMillrace(fsync: boolean): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-broker-'));
  const began = performance.now();
  const flags = ['broker', '--port', '0', '--data', directory, ...(fsync ? [] : ['--no-fsync'])];
  const child = spawn(process.execPath, [join(ROOT, 'packages/millrace/bin/millrace.js'), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const bootstrap = await new Promise<string>((resolve, reject) => {
    let output = '';
    const look = (chunk: Buffer) => {
      output += chunk;
      const found = /127\.0\.0\.1:\d+/.exec(output)?.[0];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('close', () => reject(new Error(`the broker ended:\n${output}`)));
  });
  const readyMs = performance.now() - began;
  return {
    name: 'Millrace',
    bootstrap,
    pid: child.pid!,
    readyMs,
    async stop() {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startApacheKafka(fsync: boolean): Promise<Peer> {
  const kafka = await startKafka({ fsync, heap: 1024 });
  return { ...kafka, name: 'Apache Kafka' };
}

/** Runs one of Kafka's tools with everything that the JVM's compilers can do. */
function tool(main: string, args: readonly string[]): string {
  const flags = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath('tools')];
  return execFileSync('java', [...flags, main, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function createTopic({ bootstrap }: Peer, topic: string): void {
  const args = ['--bootstrap-server', bootstrap, '--create', '--topic', topic, '--partitions', String(PARTITIONS)];
  tool('org.apache.kafka.tools.TopicCommand', args);
}

interface Measured {
  readonly rate: number;
  /** Processor seconds of the broker per million records. */
  readonly cpu: number;
}

function produce(peer: Peer, topic: string, size: number, count: number, acks: string): Measured {
  const args = ['--topic', topic, '--record-size', String(size), '--num-records', String(count), '--throughput', '-1'];
  const before = cpuSeconds(peer.pid);
  const output = tool('org.apache.kafka.tools.ProducerPerformance', [
    ...args,
    '--command-property',
    `bootstrap.servers=${peer.bootstrap}`,
    `acks=${acks}`,
  ]);
  const [, rate] = /records sent, ([\d.]+) records\/sec[^\n]*99\.9th/.exec(output) ?? [];
  if (rate === undefined) throw new Error(`no rate in:\n${output}`);
  return { rate: Number(rate), cpu: (cpuSeconds(peer.pid) - before) / (count / 1e6) };
}

function consume(peer: Peer, topic: string, count: number): Measured {
  const before = cpuSeconds(peer.pid);
  const output = tool('org.apache.kafka.tools.ConsumerPerformance', [
    ...['--bootstrap-server', peer.bootstrap, '--topic', topic, '--num-records', String(count), '--hide-header'],
    ...['--timeout', '60000'],
  ]);
  const fields = output
    .trim()
    .split('\n')
    .at(-1)!
    .split(',')
    .map((field) => field.trim());
  const [got, rate] = [Number(fields[4]), Number(fields[9])];
  if (!(got >= count)) throw new Error(`read ${got} of ${count} records:\n${output}`);
  return { rate, cpu: (cpuSeconds(peer.pid) - before) / (got / 1e6) };
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const TICKS_PER_SECOND = 100;
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function memory(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** What each peer scored in a case, round by round. */
class Scores {
  private readonly rows = new Map<string, Map<string, Measured[]>>();

  add(what: string, peer: Peer, measured: Measured): void {
    const peers = this.rows.get(what) ?? new Map<string, Measured[]>();
    this.rows.set(what, peers);
    peers.set(peer.name, [...(peers.get(peer.name) ?? []), measured]);
  }

  table(): Row[] {
    return [...this.rows].flatMap(([what, peers]) => {
      const [[, ours], [, theirs]] = [...peers] as [[string, Measured[]], [string, Measured[]]];
      const ratios = ours.map(({ rate }, round) => rate / theirs[round]!.rate);
      const of = (list: readonly Measured[], key: keyof Measured) => median(list.map((one) => one[key]));
      return [
        { what: `${what}: Millrace`, value: of(ours, 'rate'), unit: 'records/s' },
        { what: `${what}: Apache Kafka`, value: of(theirs, 'rate'), unit: 'records/s' },
        { what: `${what}: ratio`, value: median(ratios), unit: 'x', note: 'budget ≥ 1' },
        {
          what: `${what}: broker's processor time, Millrace ÷ Apache Kafka`,
          value: of(ours, 'cpu') / of(theirs, 'cpu'),
          unit: 'x',
          note: `${of(ours, 'cpu').toFixed(2)} s and ${of(theirs, 'cpu').toFixed(2)} s per million records`,
        },
      ];
    });
  }
}

async function run(): Promise<readonly Row[]> {
  const reason = whyNoJava('server') ?? whyNoJava('tools');
  if (reason !== undefined) throw new Error(reason);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  const rows: Row[] = [];
  for (const fsync of [true, false]) rows.push(...(await against(fsync)));
  return rows;
}

async function against(fsync: boolean): Promise<Row[]> {
  const peers = [await startMillrace(fsync), await startApacheKafka(fsync)];
  const label = `fsync ${fsync ? 'on' : 'off'}`;
  const single = (what: string, value: (peer: Peer) => number, unit: string): Row[] =>
    peers.map((peer) => ({ what: `${what}, ${label}: ${peer.name}`, value: value(peer), unit }));
  try {
    const idle = single('memory when idle', ({ pid }) => memory(pid, 'VmRSS'), 'MB');
    const scores = new Scores();
    for (const peer of peers) warmUp(peer);
    for (let round = 0; round < ROUNDS; round++) {
      for (const size of RECORD_SIZES) measureRound(peers, `${label}, round ${round}`, label, size, scores);
    }
    const slow: Row[] = [];
    for (const peer of peers) slow.push(...(await latencyRows(peer, label)));
    return [
      ...single('ready after', ({ readyMs }) => readyMs, 'ms'),
      ...idle,
      ...single('memory at most', ({ pid }) => memory(pid, 'VmHWM'), 'MB'),
      ...scores.table(),
      ...slow,
    ];
  } finally {
    for (const peer of peers) await peer.stop();
  }
}

function warmUp(peer: Peer): void {
  createTopic(peer, 'warm-up');
  produce(peer, 'warm-up', 100, 500_000, 'all');
  consume(peer, 'warm-up', 500_000);
}

function measureRound(peers: readonly Peer[], round: string, label: string, size: 100 | 1000, scores: Scores): void {
  const count = VOLUME[size] / size;
  for (const acks of ['1', 'all']) {
    const topic = `${round}-${size}-${acks}`.replaceAll(/[ ,]+/g, '-');
    for (const peer of peers) {
      createTopic(peer, topic);
      scores.add(`produce ${size} B, acks=${acks}, ${label}`, peer, produce(peer, topic, size, count, acks));
    }
    if (acks === '1') continue;
    for (const peer of peers) scores.add(`consume ${size} B, ${label}`, peer, consume(peer, topic, count));
  }
}

async function latencyRows({ name, bootstrap }: Peer, label: string): Promise<Row[]> {
  const { p50, p99, p999 } = await latencies(bootstrap, LATENCY_RATE);
  const what = `end to end at ${LATENCY_RATE} records/s, acks=all, ${label}: ${name}`;
  return [
    { what: `${what}, p50`, value: p50, unit: 'ms' },
    { what: `${what}, p99`, value: p99, unit: 'ms' },
    { what: `${what}, p99.9`, value: p999, unit: 'ms' },
  ];
}

export const kafkaBench: Bench = {
  name: 'kafka',
  summary: `the broker against Apache Kafka ${kafkaVersion('server')}: produce, consume, latency, start, memory`,
  run,
};
