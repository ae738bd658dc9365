/**
 * The topology as one start of it runs: the user's own code, with played spouts and modelled sinks in the place of those
 * that reach the world by themselves, and with the parallelism that this start was given.
 */

import { epochText } from '../../topology/epoch.ts';
import type { Component } from '../../topology/plan.ts';
import type { EpochWriter, Sink } from '../../topology/sink.ts';
import type { Built } from '../../topology/topology.ts';
import type { Process } from './process.ts';
import type { PlayedSource } from './sources.ts';
import type { Table } from './tables.ts';

type MayThrow = (component: string, when: 'before' | 'after', value: unknown) => void;

export interface StageOptions {
  readonly process: Process;
  readonly tables: ReadonlyMap<string, Table>;
  readonly sources: ReadonlyMap<string, PlayedSource>;
  readonly parallelism: ReadonlyMap<string, number>;
  /** Throws when it is the component's turn to fail, before it has done anything or after all of it. */
  readonly mayThrow: MayThrow;
  readonly onPublished: (text: string) => void;
}

export function staged(built: Built, options: StageOptions): Built {
  const components = new Map<string, Component>();
  for (const [id, component] of built.components) components.set(id, stagedComponent(component, options));
  return { ...built, components };
}

function stagedComponent(component: Component, options: StageOptions): Component {
  const { process, tables, sources, parallelism } = options;
  const { id } = component;
  const tasks = parallelism.get(id) ?? component.settings.parallelism;
  const settings = { ...component.settings, parallelism: tasks };
  if (component.kind === 'spout') {
    const source = sources.get(id);
    return { ...component, settings, code: source?.stand(component.code.kind, process) ?? component.code };
  }
  if (component.kind === 'sink') {
    const sink = tables.get(id)?.stand(component.sink, process) ?? component.sink;
    return { ...component, settings, sink: told(id, sink, options.onPublished) };
  }
  return { ...component, settings, code: failing(id, component.code, options.mayThrow) };
}

/** Says which epochs are published. */
function told(id: string, sink: Sink<never>, onPublished: (text: string) => void): Sink<never> {
  const { epochs } = sink;
  if (epochs === undefined) return sink;
  const open = async (task: Parameters<typeof epochs.open>[0]): Promise<EpochWriter<unknown>> => {
    const writer = (await epochs.open(task)) as EpochWriter<unknown>;
    return {
      claim: (incarnation) => writer.claim(incarnation),
      async publish(epoch, entries) {
        await writer.publish(epoch, entries);
        onPublished(`${id} published ${epochText(epoch)}, ${entries.length} values`);
      },
      close: async () => writer.close?.(),
    };
  };
  return { ...sink, epochs: { ...epochs, open: open as unknown as typeof epochs.open } };
}

type BoltCode = Extract<Component, { readonly kind: 'bolt' }>['code'];
type AnyFunction = (...given: never[]) => unknown;

/** The same code, which throws now and then. A manual bolt decides by itself what fails, so it is left alone. */
function failing(id: string, code: BoltCode, mayThrow: MayThrow): BoltCode {
  const around = <F extends AnyFunction>(run: F): F =>
    ((...given: Parameters<F>) => {
      mayThrow(id, 'before', given[0]);
      const result = run(...given);
      mayThrow(id, 'after', given[0]);
      return result;
    }) as F;
  switch (code.kind) {
    case 'map':
    case 'flatMap':
      return { ...code, each: around(code.each as AnyFunction) as never };
    case 'async':
      return {
        ...code,
        execute: async (value, call) => {
          mayThrow(id, 'before', value);
          const result = await code.execute(value, call);
          mayThrow(id, 'after', value);
          return result;
        },
      };
    case 'bolt':
      return {
        ...code,
        prepare: (task) => {
          const made = code.prepare(task);
          const { execute } = made;
          // Our own operators change their state in place: after that nothing in them throws.
          if (Object.values(code.state).some(({ owned }) => owned)) return made;
          const handlers = typeof execute === 'function' ? around(execute) : mapped(execute as never, around);
          return { ...made, execute: handlers };
        },
      };
    case 'manual':
      return code;
  }
}

function mapped<F extends AnyFunction>(handlers: { readonly [name: string]: F }, change: (run: F) => F) {
  return Object.fromEntries(Object.entries(handlers).map(([name, run]) => [name, change(run)]));
}
