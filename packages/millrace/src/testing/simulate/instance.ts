/**
 * One start of the topology in a process of its own: the log (its own, embedded, or one that a process beside it holds),
 * checkpoints on the simulated disk, the ledger, and the engine itself.
 */
import type { Log, Storage } from '@millrace/broker';
import { openLog } from '@millrace/broker';
import type { CheckpointStore } from '../../checkpoints/checkpoint-store.ts';
import { openCheckpoints } from '../../checkpoints/directory-checkpoints.ts';
import type { Running } from '../../engine/running.ts';
import { startTopology } from '../../engine/start.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import {
  clockResource,
  filesResource,
  screenResource,
  socketsResource,
  stdoutResource,
  storageResource,
  timersResource,
} from '../../runtime/resources.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { simulatedFiles } from '../../runtime/simulated-files.ts';
import { simulatedSockets } from '../../runtime/simulated-sockets.ts';
import { embeddedTopicLog } from '../../topic/embedded.ts';
import type { TopicLog } from '../../topic/topic-log.ts';
import { topicLog } from '../../topic/topic-log.ts';
import { epochText } from '../../topology/epoch.ts';
import type { Built } from '../../topology/topology.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './options.ts';
import type { Process } from './process.ts';
import { processStorage } from './process-storage.ts';
import { Reading, seenFrom } from './topic-logs.ts';

const LOG = '/log';
const CHECKPOINTS = '/checkpoints';

/** For tests of the simulator itself: a mistake that is put into a part of the engine, from outside of it. */
export interface Planted {
  readonly storage?: (storage: Storage) => Storage;
  readonly store?: (store: CheckpointStore) => CheckpointStore;
  readonly built?: (built: Built) => Built;
  readonly topics?: (log: TopicLog) => TopicLog;
  readonly ledger?: (ledger: Ledger) => Ledger;
}

/** What a run may be set to, and what is tried besides the defaults. */
export interface Settings {
  readonly retain: number;
  readonly pause: number;
  readonly timeout: number;
  readonly outbox: { readonly bytes: number; readonly total: number; readonly epochs: number };
  readonly encodeEdges: boolean;
}

export function settingsOf(random: () => number): Settings {
  const [usual, tight] = [random() < 0.5, random() < 0.5];
  const encodeEdges = random() < 0.3;
  const outbox = { bytes: 1e6, total: 1e7, epochs: 100 };
  if (usual) return { retain: 3, pause: 0, timeout: 10_000, outbox, encodeEdges };
  return {
    retain: 1 + Math.floor(random() * 2),
    pause: random() < 0.5 ? 0 : 50,
    timeout: random() < 0.5 ? 10_000 : 5 + Math.floor(random() * 300),
    outbox: tight ? { bytes: 200, total: 800, epochs: 2 } : outbox,
    encodeEdges,
  };
}

export interface InstanceOptions {
  readonly machine: Machine;
  readonly plan: Plan;
  readonly process: Process;
  /** The topology as this start has it. */
  readonly built: Built;
  readonly ledger: Ledger;
  readonly settings: Settings;
  /** Of a process beside this one; undefined: this one opens its own. */
  readonly log: Log | undefined;
  readonly planted: Planted;
  /** Its own log is open. */
  readonly onLog: (log: Log, host: Process) => void;
  readonly onCheckpoint: () => void;
}

export class Instance {
  readonly process: Process;
  running: Running | undefined;
  readonly #options: InstanceOptions;
  readonly #reading = new Reading();
  #log: Log | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.process = options.process;
  }

  /** Within its process. */
  async start(): Promise<Running> {
    const { machine, plan, process, built, ledger, settings, planted, onLog } = this.#options;
    const log = this.#options.log ?? (await openSimulatedLog(machine, process, planted));
    if (this.#options.log === undefined) onLog(log, process);
    this.#log = log;
    const losesAnswers = () => this.#options.log !== undefined && machine.lostAcks.until > machine.now;
    const topics = seenFrom(process, embeddedTopicLog(log), this.#reading, losesAnswers);
    const storage = storageOf(machine, process, planted);
    const store = openCheckpoints({
      storage,
      directory: CHECKPOINTS,
      topology: built.plan.name,
      retain: settings.retain,
      soon: process.timers.soon,
      log: (text) => machine.say(`${process.name}: ${text}`),
    });
    this.running = await startTopology(planted.built?.(built) ?? built, {
      ...runtimeOf(process, storage, planted.topics?.(topics) ?? topics),
      ledger: reached(machine, process, planted.ledger?.(ledger) ?? ledger),
      guarantee: plan.guarantee,
      checkpoints: {
        store: this.#told(planted.store?.(store) ?? store),
        interval: plan.interval,
        pause: settings.pause,
        timeout: settings.timeout,
        outbox: settings.outbox,
        start: { renamed: new Map(), dropped: new Set() },
      },
      freeze: true,
      encodeEdges: settings.encodeEdges,
      log: (component, text) =>
        machine.say(`${process.name}: ${component === undefined ? '' : `${component}: `}${text}`),
    });
    return this.running;
  }

  get hasReadAll(): boolean {
    return this.unread.length === 0;
  }

  /** What it has not read of its topics, for people. */
  get unread(): readonly string[] {
    return this.#reading.partitions.flatMap(({ topic, partition, next }) => {
      const { latest } = this.#log!.offsets(topic, partition);
      return next >= latest ? [] : [`${topic}-${partition} is read up to ${next} of ${latest}`];
    });
  }

  /** Says what becomes durable. */
  #told(store: CheckpointStore): CheckpointStore {
    const { machine, process, onCheckpoint } = this.#options;
    return {
      claim: async (above) => {
        const incarnation = await store.claim(above);
        machine.say(`${process.name} is incarnation ${incarnation}`);
        return incarnation;
      },
      newestClaim: () => store.newestClaim(),
      completed: (...given) => store.completed(...given),
      read: async (epoch) => {
        const saved = await store.read(epoch);
        machine.say(`${process.name} reads checkpoint ${epochText(epoch)}`);
        return saved;
      },
      resume: (from) => store.resume(from),
      begin: (number) => {
        const writer = store.begin(number);
        return {
          state: (...given) => writer.state(...given),
          outputs: (...given) => writer.outputs(...given),
          complete: async (facts) => {
            const info = await writer.complete(facts);
            machine.say(
              `checkpoint ${epochText(info.epoch)} is complete, ${info.keys} keys${facts.finished ? ', finished' : ''}`,
            );
            onCheckpoint();
            return info;
          },
          abandon: () => writer.abandon(),
        };
      },
      published: (epoch) => store.published(epoch),
      close: () => store.close(),
    };
  }
}

function storageOf(machine: Machine, process: Process, planted: Planted): Storage {
  const storage = processStorage(process, machine.disk(process));
  return planted.storage?.(storage) ?? storage;
}

/** The embedded log, on the simulated disk. */
export function openSimulatedLog(machine: Machine, process: Process, planted: Planted): Promise<Log> {
  return openLog({
    directory: LOG,
    storage: storageOf(machine, process, planted),
    clock: { now: () => process.clock.now(), setTimer: (ms, run) => process.timers.after(ms, run) },
    random: process.random,
  });
}

function runtimeOf(process: Process, storage: Storage, topics: TopicLog) {
  const { clock, timers, random } = process;
  const runtime: Runtime = { clock, timers, random, files: simulatedFiles(timers), sockets: simulatedSockets(timers) };
  const resources = new Map<string, unknown>([
    [topicLog.name, topics],
    [storageResource.name, storage],
    [clockResource.name, clock],
    [timersResource.name, timers],
    [filesResource.name, runtime.files],
    [socketsResource.name, runtime.sockets],
    [stdoutResource.name, { write: () => true, onDrain: () => {} }],
    [screenResource.name, { live: false, set: () => {}, log: () => {} }],
  ]);
  return { runtime, resources };
}

/** The ledger outlives its processes. It takes its time. */
function reached(machine: Machine, process: Process, ledger: Ledger): Ledger {
  const luck = machine.random(`ledger of ${process.name}`);
  return {
    ...ledger,
    record(entry) {
      process.step();
      const recorded = new Promise<void>((resolve, reject) => {
        machine.time.timers.after(luck() * 10, () => {
          ledger.record(entry).catch(reject);
          machine.time.timers.after(luck() * 10, resolve);
        });
      });
      return process.answer(recorded);
    },
  };
}
