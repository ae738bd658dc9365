/** Edges: from one output stream to the tasks of one subscriber, by its grouping. The rules are Storm's, keys are law 6. */
import { MillraceError, messageOf } from '../errors.ts';
import type { Key } from '../topology/key.ts';
import { canonicalKey, keyGroup, notAKey, taskOfKeyGroup } from '../topology/key.ts';
import type { Grouping } from '../topology/stream.ts';
import type { Output } from './output.ts';

/** One input of one task. `receive` takes the value over at once: it runs it, or queues it and holds its tree. */
export interface Port {
  receive(value: unknown, time: number, key: Key | undefined): void;
}

export interface Edge {
  /** Delivers all values of the output; gives back how many tuples that were. */
  send(output: Output): number;
}

/** What an edge needs from its subscriber. */
export interface EdgeTarget {
  readonly component: string;
  readonly ports: readonly Port[];
  readonly random: () => number;
  /** A value without a usable key, or whose custom grouping failed: it goes to the ledger. */
  readonly reject: (cause: 'key' | 'error', detail: string, value: unknown, time: number) => void;
}

export function makeEdge(grouping: Grouping, target: EdgeTarget): Edge {
  switch (grouping.kind) {
    case 'shuffle':
    case 'localOrShuffle': // one worker: every task is local
      return new ShuffleEdge(target);
    case 'none':
      return new RandomEdge(target);
    case 'all':
      return new AllEdge(target);
    case 'global':
      return new GlobalEdge(target);
    case 'direct':
      return new DirectEdge(target);
    case 'fields':
      return new KeyedEdge(target, keyOfFields(grouping.fields));
    case 'keyBy':
      return new KeyedEdge(target, grouping.key as (value: unknown) => unknown);
    case 'partialKey':
      return new PartialKeyEdge(target, grouping.key as (value: unknown) => unknown);
    case 'custom':
      return new CustomEdge(target, grouping.choose as CustomChoice);
  }
}

type Fields = { readonly [field: string]: unknown };

function keyOfFields(fields: readonly string[]): (value: unknown) => unknown {
  if (fields.length > 1) return (value) => fields.map((field) => (value as Fields)[field]);
  const field = fields[0]!;
  return (value) => (value as Fields)[field];
}

class ShuffleEdge implements Edge {
  readonly #ports: readonly Port[];
  #next: number;
  constructor({ ports, random }: EdgeTarget) {
    this.#ports = ports;
    this.#next = Math.floor(random() * ports.length);
  }
  send({ values, times, count }: Output): number {
    const ports = this.#ports;
    for (let i = 0; i < count; i++) {
      const port = ports[this.#next]!;
      if (++this.#next === ports.length) this.#next = 0;
      port.receive(values[i], times[i]!, undefined);
    }
    return count;
  }
}

class RandomEdge implements Edge {
  readonly #target: EdgeTarget;
  constructor(target: EdgeTarget) {
    this.#target = target;
  }
  send({ values, times, count }: Output): number {
    const { ports, random } = this.#target;
    for (let i = 0; i < count; i++)
      ports[Math.floor(random() * ports.length)]!.receive(values[i], times[i]!, undefined);
    return count;
  }
}

class AllEdge implements Edge {
  readonly #ports: readonly Port[];
  constructor({ ports }: EdgeTarget) {
    this.#ports = ports;
  }
  send({ values, times, count }: Output): number {
    for (let i = 0; i < count; i++) for (const port of this.#ports) port.receive(values[i], times[i]!, undefined);
    return count * this.#ports.length;
  }
}

const EMPTY_TUPLE: Key = Object.freeze([]);

/** As in Storm all tuples go to the task with the lowest id. */
class GlobalEdge implements Edge {
  readonly #port: Port;
  constructor({ ports }: EdgeTarget) {
    this.#port = ports[0]!;
  }
  send({ values, times, count }: Output): number {
    for (let i = 0; i < count; i++) this.#port.receive(values[i], times[i]!, EMPTY_TUPLE);
    return count;
  }
}

class DirectEdge implements Edge {
  readonly #target: EdgeTarget;
  constructor(target: EdgeTarget) {
    this.#target = target;
  }
  send({ values, times, tasks, count }: Output): number {
    const { ports, component } = this.#target;
    let sent = 0;
    for (let i = 0; i < count; i++) {
      const port = ports[tasks[i]!];
      if (port === undefined) {
        const { message } = new MillraceError('MR_DIRECT_TASK', [component, tasks[i], ports.length]);
        this.#target.reject('error', message, values[i], times[i]!);
        continue;
      }
      port.receive(values[i], times[i]!, undefined);
      sent++;
    }
    return sent;
  }
}

class KeyedEdge implements Edge {
  readonly #target: EdgeTarget;
  readonly #ports: readonly Port[];
  readonly #keyOf: (value: unknown) => unknown;
  constructor(target: EdgeTarget, keyOf: (value: unknown) => unknown) {
    this.#target = target;
    this.#ports = target.ports;
    this.#keyOf = keyOf;
  }
  send({ values, times, count }: Output): number {
    const ports = this.#ports;
    const only = ports.length === 1 ? ports[0] : undefined;
    let sent = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      let key: unknown;
      try {
        key = this.#keyOf(value);
      } catch (thrown) {
        this.#target.reject('key', `the key function threw: ${messageOf(thrown)}`, value, times[i]!);
        continue;
      }
      // Every string is a key: with one task there is nothing to find out about it.
      const port = only !== undefined && typeof key === 'string' ? only : this.#portOf(key);
      if (port === undefined) {
        this.#target.reject('key', notAKey(`'${this.#target.component}'`, key).message, value, times[i]!);
        continue;
      }
      port.receive(value, times[i]!, key as Key);
      sent++;
    }
    return sent;
  }

  /** The port of the task that owns the key; undefined if it is no key. */
  #portOf(key: unknown): Port | undefined {
    const canonical = canonicalKey(key);
    return canonical === undefined ? undefined : this.#ports[taskOfKeyGroup(keyGroup(canonical), this.#ports.length)];
  }
}

/** Two candidate tasks per key, each time the one that this edge chose less often (Storm's PartialKeyGrouping). */
class PartialKeyEdge implements Edge {
  readonly #target: EdgeTarget;
  readonly #keyOf: (value: unknown) => unknown;
  readonly #chosen: Float64Array;
  constructor(target: EdgeTarget, keyOf: (value: unknown) => unknown) {
    this.#target = target;
    this.#keyOf = keyOf;
    this.#chosen = new Float64Array(target.ports.length);
  }
  send({ values, times, count }: Output): number {
    let sent = 0;
    for (let i = 0; i < count; i++) if (this.#sendOne(values[i], times[i]!)) sent++;
    return sent;
  }
  #sendOne(value: unknown, time: number): boolean {
    const { ports, component, reject } = this.#target;
    let key: unknown;
    try {
      key = this.#keyOf(value);
    } catch (thrown) {
      reject('key', `the key function threw: ${messageOf(thrown)}`, value, time);
      return false;
    }
    const canonical = canonicalKey(key);
    if (canonical === undefined) {
      reject('key', notAKey(`'${component}'`, key).message, value, time);
      return false;
    }
    const group = keyGroup(canonical);
    const first = group % ports.length;
    const second = (first + 1 + ((group >>> 4) % Math.max(1, ports.length - 1))) % ports.length;
    const task = this.#chosen[first]! <= this.#chosen[second]! ? first : second;
    this.#chosen[task] = this.#chosen[task]! + 1;
    ports[task]!.receive(value, time, undefined);
    return true;
  }
}

type CustomChoice = (value: unknown, tasks: number) => number | readonly number[];

class CustomEdge implements Edge {
  readonly #target: EdgeTarget;
  readonly #choose: CustomChoice;
  constructor(target: EdgeTarget, choose: CustomChoice) {
    this.#target = target;
    this.#choose = choose;
  }
  send({ values, times, count }: Output): number {
    const { ports, component, reject } = this.#target;
    let sent = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      let tasks: readonly number[];
      try {
        const chosen = this.#choose(value, ports.length);
        tasks = typeof chosen === 'number' ? [chosen] : chosen;
        const missing = tasks.find((task) => ports[task] === undefined);
        if (missing !== undefined) throw new MillraceError('MR_CUSTOM_TASK', [component, missing, ports.length]);
      } catch (thrown) {
        reject('error', messageOf(thrown), value, times[i]!);
        continue;
      }
      for (const task of tasks) ports[task]!.receive(value, times[i]!, undefined);
      sent += tasks.length;
    }
    return sent;
  }
}
