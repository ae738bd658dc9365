/** From the graph to tasks: one station per component, its tasks, and the edges between them, opened downstream first. */

import type { Component, NamedInput } from '../topology/plan.ts';
import type { Built } from '../topology/topology.ts';
import { AsyncTask } from './async-task.ts';
import { OutboxTask } from './checkpoints/outbox-task.ts';
import type { Edge, EdgeTarget, Port } from './edge.ts';
import { makeEdge } from './edge.ts';
import { EncodingEdge } from './encoding-edge.ts';
import { FlatMapTask } from './flat-map-task.ts';
import { LogSpoutTask } from './log-spout-task.ts';
import { ManualTask } from './manual-task.ts';
import { QueueSpoutTask } from './queue-spout-task.ts';
import { SinkTask } from './sink-task.ts';
import type { EngineTask } from './station.ts';
import { Station } from './station.ts';
import { SyncTask } from './sync-task.ts';
import type { Worker } from './worker.ts';

/** The splits of each log spout, by component. */
export type Splits = ReadonlyMap<string, readonly string[]>;

/** Asks every log spout for its splits. */
export async function findSplits(built: Built, worker: Worker): Promise<Splits> {
  const splits = new Map<string, readonly string[]>();
  for (const component of built.components.values()) {
    if (component.kind !== 'spout' || component.code.kind !== 'log') continue;
    splits.set(
      component.id,
      await component.code.splits(new Station(component, worker, tasksIn(built), false).taskContext(0, 0)),
    );
  }
  return splits;
}

/**
 * The stations of a topology, each after all that it subscribes to. Nothing is open yet. `outbox`: values of transactional
 * sinks wait for the checkpoint, and it is told how many bytes have come.
 */
export function assemble(
  built: Built,
  worker: Worker,
  splits: Splits,
  wake: () => void,
  outbox?: (bytes: number) => void,
): readonly Station[] {
  const stations = new Map<string, Station>();
  const firstIds = firstTaskIds(built);
  const tasksOf = tasksIn(built);
  const order = upstreamFirst(built);
  const timed = timedComponents(order);
  for (const component of order) {
    const station = new Station(component, worker, tasksOf, timed.has(component.id));
    stations.set(component.id, station);
    station.firstId = firstIds.get(component.id)!;
    addTasks(station, station.firstId, splits, wake, outbox);
    for (const input of component.inputs) connect(stations.get(input.from.component)!, station, input);
  }
  return [...stations.values()];
}

/** Those that may ask for event time (full bolts), and all that is upstream of them. */
function timedComponents(upstreamFirst: readonly Component[]): ReadonlySet<string> {
  const timed = new Set<string>();
  for (const component of [...upstreamFirst].reverse()) {
    if (component.kind === 'bolt' && component.code.kind === 'bolt') timed.add(component.id);
    if (timed.has(component.id)) for (const { from } of component.inputs) timed.add(from.component);
  }
  return timed;
}

function tasksIn(built: Built): (component: string) => number {
  return (id) => built.components.get(id)?.settings.parallelism ?? 0;
}

function upstreamFirst(built: Built): readonly Component[] {
  const order = new Set<Component>();
  const visit = (component: Component): void => {
    for (const { from } of component.inputs) visit(built.components.get(from.component)!);
    order.add(component);
  };
  for (const component of built.components.values()) visit(component);
  return [...order];
}

/** Components in the order of their names, tasks numbered from 1 (Storm's numbering). */
function firstTaskIds(built: Built): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  let next = 1;
  for (const id of [...built.components.keys()].sort()) {
    ids.set(id, next);
    next += built.components.get(id)!.settings.parallelism;
  }
  return ids;
}

function addTasks(
  station: Station,
  firstId: number,
  splits: Splits,
  wake: () => void,
  outbox: ((bytes: number) => void) | undefined,
): void {
  const { component } = station;
  const { parallelism } = component.settings;
  if (component.kind === 'spout') station.gate.whenOpens(wake);
  for (let index = 0; index < parallelism; index++) {
    if (component.kind !== 'spout') station.tasks.push(makeTask(station, component, index, firstId, outbox));
    else if (component.code.kind === 'queue') {
      station.spouts.push(new QueueSpoutTask(station, index, firstId, component.code, wake));
    } else {
      // Split i belongs to task i mod parallelism: computed, never negotiated.
      const own = (splits.get(component.id) ?? []).filter((_, i) => i % parallelism === index);
      station.spouts.push(new LogSpoutTask(station, index, firstId, component.code, own, wake));
    }
  }
}

type SpoutComponent = Extract<Component, { readonly kind: 'spout' }>;

function makeTask(
  station: Station,
  component: Exclude<Component, SpoutComponent>,
  index: number,
  firstId: number,
  outbox: ((bytes: number) => void) | undefined,
): EngineTask {
  if (component.kind === 'sink') {
    const { epochs } = component.sink;
    if (outbox !== undefined && epochs !== undefined) return new OutboxTask(station, index, epochs, outbox);
    return new SinkTask(station, index, firstId, component.sink);
  }
  const { code } = component;
  switch (code.kind) {
    case 'flatMap':
      return new FlatMapTask(station, index, code);
    case 'async':
      return new AsyncTask(station, index, code);
    case 'manual':
      return new ManualTask(station, index, firstId, code);
    case 'bolt':
    case 'map':
      return new SyncTask(station, index, firstId);
  }
}

/** The edge from one output to the tasks of an input. */
export function edgeTo(station: Station, input: NamedInput, ports = portsOf(station, input)): Edge {
  const { worker, metrics } = station;
  const target: EdgeTarget = {
    component: station.id,
    ports,
    random: worker.runtime.random,
    reject: (cause, detail, value, time) => {
      worker.options.log(station.id, `${detail}; given to the ledger`);
      worker.lose({ metrics, input: input.name, cause, detail, value, time }, worker.anchor);
    },
  };
  const edge = makeEdge(input.grouping, target);
  if (!worker.options.encodeEdges) return edge;
  return new EncodingEdge(edge, input.from.component, input.from.stream, station.freeze, (error) => worker.fail(error));
}

function portsOf(station: Station, input: NamedInput): readonly Port[] {
  return station.tasks.map((task) => task.port(input.name));
}

function connect(source: Station, station: Station, input: NamedInput): void {
  station.gate.addUpstream(source.gate);
  const stream = source.component.streams.findIndex(({ name }) => name === input.from.stream);
  const aligned = mustAlign(station);
  for (const [index, { outputs }] of [...source.tasks, ...source.spouts].entries()) {
    const output = outputs[stream]!;
    const inlets = station.tasks.map(({ alignment }) => alignment.inlet());
    output.barriers.push(...inlets);
    const ports = portsOf(station, input);
    output.edges.push(edgeTo(station, input, aligned ? ports.map((port, i) => inlets[i]!.port(port)) : ports));
    if (!station.timed) continue;
    for (const [i, { eventTime }] of station.tasks.entries()) {
      const time = eventTime!.inlet(source.id, index);
      output.inlets.push(aligned ? inlets[i]!.time(time) : time);
    }
  }
}

/** A barrier may have come on one way in and not yet on another, or the task itself lets nothing in behind it. */
function mustAlign({ component, worker, tasksOf }: Station): boolean {
  if (worker.keeps !== 'checkpoints') return false;
  if (component.kind === 'bolt' && component.code.kind === 'manual') return true;
  return component.inputs.reduce((ways, { from }) => ways + tasksOf(from.component), 0) > 1;
}
