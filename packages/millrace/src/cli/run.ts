/**
 * Runs a topology in this process: log, ledger, engine and control socket over one data directory. Behind `millrace run`
 * and `run()` of millrace/engine alike.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Broker, fileStorage } from '@millrace/broker';
import { standardOutput } from '../connectors/stdout/standard-output.ts';
import { formatDuration } from '../duration.ts';
import type { ControlServer } from '../engine/control-server.ts';
import { serveControl } from '../engine/control-server.ts';
import type { Running } from '../engine/running.ts';
import { startTopology } from '../engine/start.ts';
import { MillraceError } from '../errors.ts';
import { realRuntime } from '../runtime/real.ts';
import {
  clockResource,
  filesResource,
  screenResource,
  socketsResource,
  stdoutResource,
  storageResource,
  timersResource,
} from '../runtime/resources.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { embeddedTopicLog } from '../topic/embedded.ts';
import { type TopicLog, topicLog } from '../topic/topic-log.ts';
import type { Guarantee, Receipt } from '../topology/receipt.ts';
import { receiptOf } from '../topology/receipt.ts';
import type { Built, Topology } from '../topology/topology.ts';
import type { CheckedSettings, CheckpointSettings } from './checkpoint-settings.ts';
import { checkpointSettings } from './checkpoint-settings.ts';
import type { DataDirectory } from './data-directory.ts';
import { announceControl, awaitDataDirectory, defaultDataDirectory, socketPath } from './data-directory.ts';
import { serveKafka } from './kafka-server.ts';
import { importTopology } from './load-module.ts';
import { checkpointMethods } from './methods/checkpoint-methods.ts';
import { inspectMethods } from './methods/inspect-methods.ts';
import { topicsElsewhere } from './methods/log-methods.ts';
import { topologyMethods } from './methods/topology-methods.ts';
import type { MetricsServer } from './metrics-server.ts';
import type { Notices } from './notices.ts';
import { noticesOn } from './notices.ts';
import type { Files } from './open-files.ts';
import { openFiles } from './open-files.ts';
import { shortReceipt } from './receipt-text.ts';
import { EXIT, exitCodeOf, failureText } from './report.ts';
import type { RunCheckpoints } from './run-checkpoints.ts';
import { checkpointsOfRun } from './run-checkpoints.ts';
import type { LiveScreen } from './screen.ts';
import { liveScreen } from './screen.ts';
import { onSignals } from './signals.ts';
import { outputAbove } from './stdout.ts';
import { counted } from './table.ts';
import { shortPath } from './user-frames.ts';

export interface RunOptions {
  /** What `t.config(schema)` gets, checked by that schema. */
  readonly config?: unknown;
  /** The data directory; by default `.millrace` beside the package.json nearest to the module. */
  readonly data?: string;
  /** Empty the data directory first. */
  readonly fresh?: boolean;
  /** Kafka brokers, each `host:port`, that hold the topics instead of the data directory. Some of a cluster are enough. */
  readonly brokers?: readonly string[];
  /** What is asked of every path. By default each gets the most that it allows. MR_GUARANTEE if one cannot give it. */
  readonly guarantee?: Guarantee;
  readonly checkpoints?: CheckpointSettings;
  /** For this start: a checkpoint that is kept, such as '3.17', or the folder of a savepoint. By default the last checkpoint. */
  readonly from?: string;
  /** Components that have another name than in the checkpoint: `{ old: 'new' }`. */
  readonly rename?: Readonly<Record<string, string>>;
  /** What the checkpoint has of these is given up: components, or 'component.state'. */
  readonly drop?: readonly string[];
  /**
   * The port of 127.0.0.1 on which the data directory's topics are served by Kafka's protocol, while the topology runs.
   * By default 9092, or any free one where that is taken; 0 takes any free one; false serves them nowhere. With
   * `brokers` there is nothing to serve.
   */
  readonly kafkaPort?: number | false;
  /** Serve /metrics and /health on this port of 127.0.0.1; 0 takes any free one. */
  readonly metricsPort?: number;
  /** Say nothing but why it failed. */
  readonly quiet?: boolean;
  /** Notices as one JSON object per line. */
  readonly json?: boolean;
  /** Called once, when the topology runs: to ask it for metrics, explanations and state, or to stop it. */
  readonly started?: (running: Running) => void;
}

/**
 * Runs the topology that the calling module exports, until it ends: `if (import.meta.main) await run(import.meta.url)`.
 * The module is loaded a second time for it, because the first is still being evaluated, by this very call. Never
 * rejects: a failure is written to standard error and sets the process's exit code.
 */
export async function run(moduleUrl: string, options: RunOptions = {}): Promise<void> {
  const file = fileURLToPath(moduleUrl);
  const load = () => importTopology(`${moduleUrl}?millrace=run`, shortPath(file));
  process.exitCode = await runTopology(load, dirname(file), options);
}

/** The exit code. `folder` is where the module is. */
export async function runTopology(load: () => Promise<Topology>, folder: string, options: RunOptions): Promise<number> {
  const runtime = realRuntime();
  const screen = liveScreen(process.stdout, runtime.timers);
  const restore = (): void => screen.close();
  process.on('exit', restore);
  const { json = false, quiet = false } = options;
  const notices = noticesOn(process.stderr, screen, runtime.clock, { json, quiet });
  try {
    const built = (await load()).build(options.config);
    // What cannot run is refused before anything is touched.
    const receipt = receiptOf(built, options.guarantee);
    const settings = checkpointSettings(built.plan.name, options.checkpoints);
    const directory = options.data ?? defaultDataDirectory(folder);
    const data = await awaitDataDirectory(directory, { fresh: options.fresh ?? false });
    try {
      return await runOn(data, built, { ...options, runtime, screen, notices, receipt, settings });
    } finally {
      data.release();
    }
  } catch (error) {
    screen.close();
    notices.fail(error instanceof MillraceError ? error.code : undefined, failureText(error));
    return exitCodeOf(error);
  } finally {
    screen.close();
    process.off('exit', restore);
  }
}

interface Surroundings extends RunOptions {
  readonly runtime: Runtime;
  readonly screen: LiveScreen;
  readonly notices: Notices;
  readonly receipt: Receipt;
  readonly settings: CheckedSettings;
}

async function runOn(data: DataDirectory, built: Built, around: Surroundings): Promise<number> {
  const { runtime, screen, notices } = around;
  const { promise: started, resolve: onStart } = Promise.withResolvers<Running>();
  const removeSignals = onSignals(
    runtime.clock,
    () => {
      notices.say('stopping', {}, 'stopping: what is inside is finished first; once more (Ctrl-C) leaves at once');
      // A signal that comes while the topology still starts stops it as soon as it can be stopped.
      void started.then((running) => running.stop());
    },
    () => {
      screen.close();
      process.exit(EXIT.left);
    },
  );
  try {
    return await runWithin(data, built, around, onStart);
  } finally {
    removeSignals();
  }
}

async function runWithin(
  data: DataDirectory,
  built: Built,
  around: Surroundings,
  onStart: (running: Running) => void,
): Promise<number> {
  const { runtime, screen, notices, guarantee } = around;
  const onShed = ({ payloads, bytes }: { payloads: number; bytes: number }) =>
    notices.log('ledger', `is full: gave up the payloads of ${payloads} older entries (${bytes} bytes)`);
  const files = await openFiles(data, runtime, onShed);
  const topics = await openTopics(files, around);
  const storage = fileStorage();
  const { promise: readerGone, resolve: onGone } = Promise.withResolvers<void>();
  const resources = new Map<string, unknown>([
    [topicLog.name, topics],
    [clockResource.name, runtime.clock],
    [timersResource.name, runtime.timers],
    [filesResource.name, runtime.files],
    [storageResource.name, storage],
    [socketsResource.name, runtime.sockets],
    [stdoutResource.name, outputAbove(screen, standardOutput(process.stdout, onGone))],
    [screenResource.name, screen],
  ]);
  let kept: RunCheckpoints | undefined;
  try {
    sayStart(notices, built, data.path, around);
    kept = await checkpointsOfRun(data.checkpoints, storage, around);
    const { log } = notices;
    const engine = { runtime, ledger: files.ledger, resources, guarantee, freeze: false, encodeEdges: false, log };
    const running = await startTopology(built, { ...engine, checkpoints: kept.options });
    onStart(running);
    around.started?.(running);
    void readerGone.then(() => {
      notices.say('stopping', {}, 'stopping: nobody reads the output any more');
      return running.stop();
    });
    return await follow(running, built, data, files, kept, around);
  } finally {
    await kept?.store.close();
    await topics.close();
    await files.close();
  }
}

/** Where the topics are: at brokers, if some were named. Their client is loaded only then. */
async function openTopics(files: Files, { brokers, runtime, notices }: Surroundings): Promise<TopicLog> {
  if (brokers === undefined) return embeddedTopicLog(files.log);
  const { kafkaTopicLog } = await import('../topic/kafka.ts');
  return kafkaTopicLog({ brokers, clientId: 'millrace', runtime, log: (text) => notices.log('brokers', text) });
}

/** From the start to the end of a running topology: control, Kafka's protocol and metrics around it. */
async function follow(
  running: Running,
  built: Built,
  data: DataDirectory,
  files: Files,
  kept: RunCheckpoints,
  { runtime, screen, notices, metricsPort, brokers, kafkaPort }: Surroundings,
): Promise<number> {
  let control: ControlServer | undefined;
  let kafka: Broker | undefined;
  let metrics: MetricsServer | undefined;
  try {
    const own = { running, built, ledger: files.ledger, clock: runtime.clock, data: data.path };
    const path = socketPath(data.path);
    const methods = {
      ...files.methods,
      ...(brokers ? topicsElsewhere(brokers) : {}),
      ...topologyMethods(own),
      ...inspectMethods(running, () => runtime.clock.now()),
      ...checkpointMethods(running, kept.store, { storage: kept.storage, timers: runtime.timers }),
    };
    control = await serveControl(runtime.sockets, { path }, methods);
    announceControl(data.path, path, { topology: running.name });
    if (brokers === undefined && kafkaPort !== false) {
      kafka = await serveKafka(files.log, kafkaPort, (remark) => notices.log('kafka', remark));
      notices.say('kafka', { bootstrap: kafka.bootstrap }, `kafka      ${kafka.bootstrap}`);
    }
    if (metricsPort !== undefined) {
      const { serveMetrics } = await import('./metrics-server.ts');
      metrics = await serveMetrics(metricsPort, running, () => runtime.clock.now());
      notices.say(
        'metrics',
        { url: `${metrics.url}/metrics` },
        `metrics    ${metrics.url}/metrics, ${metrics.url}/health`,
      );
    }
    await running.done;
    screen.close();
    sayEnd(notices, running);
    return running.state === 'killed' ? EXIT.left : EXIT.ok;
  } catch (error) {
    await running.kill();
    throw error;
  } finally {
    await control?.close();
    await kafka?.close();
    await metrics?.close();
  }
}

function sayStart(
  notices: Notices,
  built: Built,
  data: string,
  { brokers, receipt, settings: { interval, retain } }: Surroundings,
): void {
  const { name, components } = built.plan;
  const tasks = components.reduce((sum, { parallelism }) => sum + parallelism, 0);
  const [first, ...others] = shortReceipt(receipt);
  const checkpoints = receipt.keeps === 'checkpoints' ? { checkpoints: { interval, retain } } : {};
  notices.say(
    'starting',
    { topology: name, data, ...(brokers ? { brokers } : {}), receipt, ...checkpoints, pid: process.pid },
    `topology   ${name} (${counted(components.length, 'component')}, ${counted(tasks, 'task')})`,
    `data       ${shortPath(data)}`,
    ...(brokers ? [`topics     at the brokers ${brokers.join(', ')}`] : []),
    `guarantee  ${first}`,
    ...others.map((line) => `           ${line}`),
    ...(receipt.keeps === 'checkpoints'
      ? [
          `checkpoint every ${formatDuration(interval)}; ${retain === 1 ? 'the last is' : `the last ${retain} are`} kept`,
        ]
      : []),
  );
}

function sayEnd(notices: Notices, running: Running): void {
  const { state, uptime, components } = running.metrics();
  const ledgered = components.reduce((sum, component) => sum + component.ledgered, 0);
  notices.say(
    state,
    { topology: running.name, uptime: Math.round(uptime), ledgered },
    `${state} after ${formatDuration(uptime)}`,
    ...(ledgered > 0 ? [`${counted(ledgered, 'record')} went to the ledger: 'millrace ledger list' shows them`] : []),
  );
}
