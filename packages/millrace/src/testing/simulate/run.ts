/** One run of a topology under given faults, from its first start to its last word, and what came of it. */
import type { Log } from '@millrace/broker';
import { memoryLedger } from '../../ledger/memory.ts';
import type { PathGuarantee, Receipt } from '../../topology/receipt.ts';
import { receiptOf } from '../../topology/receipt.ts';
import type { Built, Topology } from '../../topology/topology.ts';
import { textOf } from './compare.ts';
import type { Fault } from './faults.ts';
import { linesIn } from './folders.ts';
import { arrivalsOf, type Outgoing, outgoing, readTopic, TopicWriter } from './inputs.ts';
import { Instance, openSimulatedLog, type Planted, type Settings, settingsOf } from './instance.ts';
import { Machine } from './machine.ts';
import type { Plan } from './options.ts';
import type { Outcome, Output, TimedValue, Written } from './outcome.ts';
import type { Process } from './process.ts';
import { PlayedSource } from './sources.ts';
import { staged } from './stage.ts';
import { Supervisor } from './supervisor.ts';
import { Table } from './tables.ts';

/** What the inputs of another run were in the end: this one gets the same. */
export type Replayed = Pick<Outcome, 'records'>;

export class Run {
  readonly machine: Machine;
  readonly #topology: Topology;
  readonly #plan: Plan;
  readonly #faults: readonly Fault[];
  readonly #planted: Planted;
  readonly #tables = new Map<string, Table>();
  readonly #sources = new Map<string, PlayedSource>();
  readonly #writers: TopicWriter[] = [];
  readonly #sent = new Map<string, readonly Outgoing[]>();
  readonly #ledger = memoryLedger();
  readonly #state = new Map<string, string>();
  readonly #random: () => number;
  readonly #settings: Settings;
  readonly #supervisor: Supervisor;
  readonly #receipt: Receipt;
  #throwing:
    | { readonly component: string; readonly when: 'before' | 'after'; readonly most: number; times: number }
    | undefined;
  /** How often code threw, by component and value. */
  readonly #thrown = new Map<string, number>();
  #checkpoints = 0;
  #published = 0;

  constructor(topology: Topology, plan: Plan, faults: readonly Fault[], planted: Planted, replayed?: Replayed) {
    this.#topology = topology;
    this.#plan = plan;
    this.#faults = faults;
    this.#planted = planted;
    this.machine = new Machine(plan.seed, plan.start);
    this.#random = this.machine.random('starts');
    this.#settings = settingsOf(this.machine.random('settings'));
    this.machine.say(`settings: ${JSON.stringify(this.#settings)}`);
    this.#receipt = receiptOf(this.#build(), plan.guarantee);
    const beside = faults.some(({ kind }) => kind === 'zombie') || this.machine.random('beside')() < 0.25;
    const { quiet, limit, drain } = plan;
    this.#supervisor = new Supervisor({
      machine: this.machine,
      faults,
      beside,
      quiet,
      limit,
      drain,
      make: (process, log) => this.#instance(process, log),
      openLog: (process) => openSimulatedLog(this.machine, process, planted),
      onLog: (log, host) => {
        for (const writer of this.#writers) writer.connect(log, host);
      },
      onNoLog: () => {
        for (const writer of this.#writers) writer.disconnect();
      },
      isFed: () => this.#writers.every((writer) => writer.isDone),
      isRead: ({ process }) => [...this.#sources.values()].every((source) => source.isReadBy(process)),
      onThrows: (component, times) => {
        const bolts = [...this.#build().components.values()].filter(
          ({ kind, settings }) => kind === 'bolt' && settings.onError.retries > 0,
        );
        const bolt = bolts[Math.floor(component / 2) % bolts.length];
        if (bolt === undefined) return;
        const when = component % 2 === 0 ? 'before' : 'after';
        this.#throwing = { component: bolt.id, when, most: bolt.settings.onError.retries, times };
      },
      onRest: (instance) => this.#keepState(instance),
    });
    this.#feed(replayed);
    for (const [id, component] of this.#build().components)
      if (component.kind === 'sink' && component.sink.into === undefined) this.#addTable(id);
  }

  async outcome(): Promise<Outcome> {
    const { time } = this.machine;
    const { limit } = this.#plan;
    const last = Math.max(
      0,
      ...this.#faults.map(({ at }) => at),
      ...[...this.#sent.values()].flat().map(({ at }) => at),
    );
    this.#supervisor.start();
    try {
      await time.until(this.#supervisor.done, last + limit);
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 'MR_STUCK') throw thrown;
      throw new Error(`it does not come to rest within ${limit} ms: ${this.#supervisor.describe()}`);
    }
    return await this.#collect();
  }

  #build(): Built {
    return this.#topology.build(this.#plan.config);
  }

  #feed(replayed: Replayed | undefined): void {
    const { timers } = this.machine.time;
    for (const whole of this.#plan.feeds) {
      const feed = { ...whole, records: whole.records.slice(0, this.#plan.records) };
      const arrivals = arrivalsOf(feed, this.#faults, this.#plan.start);
      if (feed.topic === undefined) {
        const source = new PlayedSource(feed.name, timers);
        this.#sources.set(feed.name, source);
        for (const arrival of arrivals) timers.after(arrival.at, () => source.comes(arrival));
        continue;
      }
      const records = replayed?.records.get(feed.name) ?? outgoing(feed, arrivals);
      this.#sent.set(feed.name, records);
      this.#writers.push(new TopicWriter({ feed, records, timers, onStopped: () => this.#supervisor.logStopped() }));
    }
  }

  #addTable(id: string): void {
    const { machine } = this;
    const number = this.#tables.size;
    this.#tables.set(
      id,
      new Table({
        sink: id,
        timers: machine.time.timers,
        mood: () => machine.mood(number, this.#tables.size),
        violated: (what) => this.#supervisor.violated(what),
      }),
    );
  }

  #instance(process: Process, log: Log | undefined): Instance {
    const parallelism = new Map(
      Object.entries(this.#plan.parallelism).map(([id, choices]) => [
        id,
        choices[Math.floor(this.#random() * choices.length)]!,
      ]),
    );
    const built = staged(this.#build(), {
      process,
      tables: this.#tables,
      sources: this.#sources,
      parallelism,
      mayThrow: (component, when, value) => this.#mayThrow(component, when, value),
      onPublished: (text) => {
        this.#published++;
        this.machine.say(text);
      },
    });
    if (parallelism.size > 0)
      this.machine.say(`${process.name} has ${[...parallelism].map(([id, n]) => `${id} ${n}`).join(', ')}`);
    return new Instance({
      machine: this.machine,
      plan: this.#plan,
      process,
      built,
      ledger: this.#ledger,
      settings: this.#settings,
      log,
      planted: this.#planted,
      onLog: (own, host) => {
        for (const writer of this.#writers) writer.connect(own, host);
      },
      onCheckpoint: () => void this.#checkpoints++,
    });
  }

  /** Never so often for one value that it would go to the ledger. */
  #mayThrow(component: string, when: 'before' | 'after', value: unknown): void {
    const throwing = this.#throwing;
    if (throwing?.component !== component || throwing.when !== when) return;
    const place = `${component} ${textOf(value)}`;
    const thrown = this.#thrown.get(place) ?? 0;
    if (thrown === throwing.most) return;
    this.#thrown.set(place, thrown + 1);
    if (--throwing.times === 0) this.#throwing = undefined;
    throw new Error(`'${component}' fails for once`);
  }

  #keepState({ running }: Instance): void {
    for (const component of this.#plan.state) {
      for (const key of running!.stateKeys(component, Number.MAX_SAFE_INTEGER))
        this.#state.set(`${component} ${textOf(key)}`, textOf(running!.readState(component, key)));
    }
  }

  /** The last power cut: what was promised must have survived it. */
  async #collect(): Promise<Outcome> {
    const { machine } = this;
    machine.cutPower();
    const reader = machine.spawn('the reader');
    const log = await machine.time.until(openSimulatedLog(machine, reader, {}), 60_000);
    const inputs: Record<string, readonly TimedValue[]> = {};
    const records = new Map<string, readonly Written[]>();
    for (const { topic, name } of this.#plan.feeds) {
      const source = this.#sources.get(name);
      if (topic === undefined) inputs[name] = source!.come.map(({ value, time }) => ({ value, time }));
      else {
        records.set(name, this.#written(log, name));
        inputs[name] = [...readTopic(log, name)].flatMap((record) => decoded(topic, record));
      }
    }
    const outputs = new Map<string, Output>();
    for (const [id, table] of this.#tables) outputs.set(id, { guarantee: this.#guaranteeOf([id]), came: table.rows });
    const into = [...this.#build().components.values()].flatMap((one) =>
      one.kind === 'sink' && one.sink.into ? [{ id: one.id, ...one.sink.into }] : [],
    );
    for (const place of into) {
      if (!('folder' in place)) continue;
      const came = linesIn(machine.disk(reader), place.folder, `${place.id}@`).map((value) => ({ value, time: 0 }));
      outputs.set(place.id, { guarantee: this.#guaranteeOf([place.id]), came });
    }
    for (const topic of this.#plan.outputs) {
      const came = [...readTopic(log, topic.name)].flatMap((record) => decoded(topic, record));
      const sinks = into.flatMap((place) => ('topic' in place && place.topic === topic.name ? [place.id] : []));
      outputs.set(topic.name, { guarantee: this.#guaranteeOf(sinks), came });
    }
    return {
      inputs,
      outputs,
      ledger: this.#ledger.list({ limit: Number.MAX_SAFE_INTEGER }),
      state: this.#state,
      figures: {
        time: machine.now,
        faults: this.#faults.length,
        restarts: this.#supervisor.restarts,
        checkpoints: this.#checkpoints,
        published: this.#published,
        steps: machine.steps,
      },
      trace: machine.trace,
      records,
    };
  }

  /** The records of a fed topic that came from outside. All that were sent must be there. */
  #written(log: Log, name: string): readonly Written[] {
    const sent = this.#sent.get(name)!;
    const written: Written[] = [];
    const seen = new Set<number>();
    const last = new Map<number, number>();
    for (const { index, partition, key, value, timestamp } of readTopic(log, name)) {
      if (index === undefined) continue;
      const at = Math.max(last.get(partition) ?? 0, sent[index]!.at);
      last.set(partition, at);
      seen.add(index);
      written.push({ partition, key, value, timestamp, at });
    }
    const lost = sent.length - seen.size;
    if (lost > 0) throw new Error(`${lost} acknowledged records of topic '${name}' are lost`);
    return written;
  }

  /** The least of the paths that end in these sinks. */
  #guaranteeOf(sinks: readonly string[]): PathGuarantee {
    const order: readonly PathGuarantee[] = ['at-most-once', 'at-least-once', 'convergent', 'exactly-once'];
    const paths = this.#receipt.paths.filter(({ end }) => sinks.includes(end));
    return order[Math.min(order.length - 1, ...paths.map(({ guarantee }) => order.indexOf(guarantee)))]!;
  }
}

/** Nothing where the codec refuses it: the spout does, too. */
function decoded(
  topic: { readonly value: { decode(bytes: Uint8Array): unknown } },
  { value, timestamp }: { readonly value: Uint8Array | null; readonly timestamp: number },
): readonly TimedValue[] {
  if (value === null) return [];
  try {
    return [{ value: topic.value.decode(value), time: timestamp }];
  } catch {
    return [];
  }
}
