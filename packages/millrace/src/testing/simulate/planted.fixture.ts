/**
 * Mistakes that an engine like this one could have, planted from outside of it: a part is wrapped so that it misbehaves. The
 * simulator must find each of them; a simulator that finds nothing proves nothing.
 */
import type { CheckpointFacts, CheckpointStore, CheckpointWriter } from '../../checkpoints/checkpoint-store.ts';
import { Alignment } from '../../engine/alignment.ts';
import { Step } from '../../state/step.ts';
import type { TopicLog, TopicTransactions } from '../../topic/topic-log.ts';
import type { BoltCode } from '../../topology/bolt.ts';
import type { Component } from '../../topology/plan.ts';
import type { EpochWriter } from '../../topology/sink.ts';
import type { LogReader, QueueReader } from '../../topology/spout.ts';
import type { Built } from '../../topology/topology.ts';
import type { FaultKind } from './faults.ts';
import type { Planted } from './instance.ts';

export interface PlantedBug {
  readonly scenario: string;
  /** Found within so many seeds. */
  readonly within: number;
  /** By default all that the scenario has. */
  readonly faults?: readonly FaultKind[];
  readonly planted: Planted;
  /** For what cannot be wrapped: gives back how it is undone. */
  readonly plant?: () => () => void;
}

const storeWith = (change: (store: CheckpointStore) => Partial<CheckpointStore>): Planted => ({
  store: (store) => ({ ...bound(store), ...change(store) }),
});

/** The same store as an object of its own, whose methods can be replaced one by one. */
function bound(store: CheckpointStore): CheckpointStore {
  return {
    claim: (above) => store.claim(above),
    newestClaim: () => store.newestClaim(),
    completed: (damaged) => store.completed(damaged),
    read: (epoch) => store.read(epoch),
    resume: (from) => store.resume(from),
    begin: (number) => store.begin(number),
    published: (epoch) => store.published(epoch),
    close: () => store.close(),
  };
}

const writerWith = (
  change: (writer: CheckpointWriter, store: CheckpointStore, number: number) => Partial<CheckpointWriter>,
): Planted =>
  storeWith((store) => ({
    begin(number) {
      const writer = store.begin(number);
      return {
        state: (...given) => writer.state(...given),
        outputs: (...given) => writer.outputs(...given),
        complete: (facts) => writer.complete(facts),
        abandon: () => writer.abandon(),
        ...change(writer, store, number),
      };
    },
  }));

const componentsWith = (change: (component: Component) => Component): Planted => ({
  built: (built: Built) => ({
    ...built,
    components: new Map([...built.components].map(([id, component]) => [id, change(component)])),
  }),
});

const epochsWith = (change: (writer: EpochWriter<unknown>) => Partial<EpochWriter<unknown>>): Planted =>
  componentsWith((component) => {
    if (component.kind !== 'sink' || component.sink.epochs === undefined) return component;
    const { epochs } = component.sink;
    const open = async (task: never) => {
      const writer = (await epochs.open(task)) as EpochWriter<unknown>;
      return {
        claim: (incarnation: number) => writer.claim(incarnation),
        publish: (...given: Parameters<EpochWriter<unknown>['publish']>) => writer.publish(...given),
        close: () => writer.close?.(),
        ...change(writer),
      };
    };
    return {
      ...component,
      sink: { ...component.sink, epochs: { ...epochs, open: open as unknown as typeof epochs.open } },
    };
  });

type FullBolt = Extract<BoltCode, { readonly kind: 'bolt' }>;
const boltsWith = (change: (code: FullBolt) => FullBolt): Planted =>
  componentsWith((component) =>
    component.kind === 'bolt' && component.code.kind === 'bolt'
      ? { ...component, code: change(component.code) }
      : component,
  );

/** Facts with the positions of one split changed. */
function withSplit(facts: CheckpointFacts, change: (position: number) => number | undefined): CheckpointFacts {
  const sources = Object.fromEntries(
    Object.entries(facts.sources).map(([component, splits]) => [
      component,
      Object.fromEntries(
        Object.entries(splits).map(([split, at], i) => [
          split,
          i > 0 || at.position === undefined ? at : { ...at, position: change(at.position) },
        ]),
      ),
    ]),
  );
  return { ...facts, sources };
}

const transactionsWith = (change: (own: TopicTransactions, log: TopicLog) => Partial<TopicTransactions>): Planted => ({
  topics: (log) => ({
    ...log,
    transactions(id) {
      const own = log.transactions(id);
      return {
        claim: () => own.claim(),
        publish: (topic, records, marker) => own.publish(topic, records, marker),
        ...change(own, log),
      };
    },
  }),
});

export const plantedBugs: { readonly [name: string]: PlantedBug } = {
  'an epoch is published before its checkpoint is durable': {
    scenario: 'word-count',
    within: 60,
    planted: writerWith((writer, store, number) => ({
      async complete(facts) {
        const done = writer.complete(facts);
        done.catch(() => {});
        const [last] = await store.completed();
        const incarnation = last?.epoch.incarnation ?? 1;
        return { epoch: { incarnation, number }, facts, bytes: 0, keys: 0 };
      },
    })),
  },
  'the position of a split is forgotten': {
    scenario: 'word-count',
    within: 20,
    planted: writerWith((writer) => ({ complete: (facts) => writer.complete(withSplit(facts, () => undefined)) })),
  },
  'a position is one record too far': {
    scenario: 'copy',
    within: 20,
    planted: writerWith((writer) => ({ complete: (facts) => writer.complete(withSplit(facts, (at) => at + 1)) })),
  },
  'what comes after the barrier on one input is not held back': {
    scenario: 'join',
    within: 20,
    planted: {},
    plant() {
      const { arrived } = Alignment.prototype;
      Alignment.prototype.arrived = function (inlet, barrier) {
        arrived.call(this, inlet, barrier);
        inlet.shut = inlet.held.length > 0;
      };
      return () => {
        Alignment.prototype.arrived = arrived;
      };
    },
  },
  'what was published is not remembered, and is published again': {
    scenario: 'word-count',
    within: 60,
    planted: transactionsWith((own) => ({ claim: () => own.claim().then(() => undefined) })),
  },
  'an epoch counts as published twice over: its number is used again': {
    scenario: 'modes',
    within: 5,
    planted: epochsWith((writer) => ({
      publish: ({ incarnation, number }, entries) =>
        writer.publish({ incarnation, number: Math.ceil(number / 2) }, entries),
    })),
  },
  'outputs are let go of before they are published': {
    scenario: 'slow-table',
    within: 60,
    faults: ['crash', 'lateAck', 'refusal'],
    planted: writerWith((writer, store) => ({
      async complete(facts) {
        const info = await writer.complete(facts);
        store.published(info.epoch);
        return info;
      },
    })),
  },
  'an older checkpoint is restored in silence': {
    scenario: 'word-count',
    within: 20,
    planted: storeWith((store) => ({
      async completed() {
        const all = await store.completed();
        return all.length > 1 ? all.slice(1) : all;
      },
    })),
  },
  'a checkpoint is not synced': {
    scenario: 'word-count',
    within: 60,
    planted: {
      storage: (storage) => ({
        ...storage,
        open(path, create) {
          const file = storage.open(path, create);
          return path.startsWith('/checkpoints') ? { ...file, sync: async () => {} } : file;
        },
      }),
    },
  },
  'a zombie may publish': {
    scenario: 'word-count',
    within: 60,
    faults: ['zombie'],
    planted: transactionsWith((own, log) => ({
      publish: (topic, records, marker) => own.publish(topic, records, marker).catch(() => log.produce(topic, records)),
    })),
  },
  'timers are lost when a checkpoint is restored': {
    scenario: 'features',
    within: 30,
    planted: boltsWith((code) => ({
      ...code,
      prepare(task) {
        const { timers } = task as { timers: Record<string, { set(time: number): void; clear(time: number): void }> };
        const set = new Set<string>();
        const own = Object.fromEntries(
          Object.entries(timers).map(([name, timer]) => [
            name,
            {
              set(time: number) {
                set.add(`${name} ${time}`);
                timer.set(time);
              },
              clear: (time: number) => timer.clear(time),
            },
          ]),
        );
        const made = code.prepare({ ...(task as object), timers: own } as never);
        const handlers = Object.entries(made.timer ?? {}).map(([name, told]): [string, typeof told] => [
          name,
          (time, key) => {
            if (set.has(`${name} ${time}`)) told(time, key);
          },
        ]);
        return { ...made, timer: Object.fromEntries(handlers) };
      },
    })),
  },
  'some key groups are not restored': {
    scenario: 'word-count',
    within: 40,
    planted: storeWith((store) => ({
      async read(epoch) {
        const saved = await store.read(epoch);
        const state: typeof saved.state = (component) =>
          saved.state(component).map((part) => ({
            ...part,
            keys: (from, to) => [...part.keys(from, to)].filter(({ group }) => group % 8 !== 0),
          }));
        return { ...saved, state };
      },
    })),
  },
  'a key that has changed is left out of a checkpoint': {
    scenario: 'word-count',
    within: 20,
    planted: writerWith((writer) => ({
      state: (component, shapes, what, keys) =>
        writer.state(component, shapes, what, keys.slice(0, Math.max(1, keys.length - 1))),
    })),
  },
  'the log acknowledges what is not synced': {
    scenario: 'copy',
    within: 5,
    // Whatever happens before, the power is cut in the end.
    faults: ['crash'],
    planted: {
      storage: (storage) => ({
        ...storage,
        open(path, create) {
          const file = storage.open(path, create);
          return path.startsWith('/log') ? { ...file, sync: async () => {} } : file;
        },
      }),
    },
  },
  'a message is acked before it is done': {
    scenario: 'queue',
    within: 60,
    planted: componentsWith((component) => {
      if (component.kind !== 'spout' || component.code.kind !== 'queue') return component;
      const { code } = component;
      const open = async (task: { readonly emit: (value: unknown, id: number, time: number) => void }) => {
        let reader: QueueReader | undefined;
        const emit = (value: unknown, id: number, time: number) => {
          task.emit(value, id, time);
          reader!.ack!(id);
        };
        reader = await code.open({ ...task, emit } as never);
        return reader;
      };
      return { ...component, code: { kind: 'queue', open: open as typeof code.open } };
    }),
  },
  'what a failed step has written to state stays': {
    scenario: 'word-count',
    within: 30,
    faults: ['throws'],
    planted: {},
    plant() {
      const { undo } = Step.prototype;
      Step.prototype.undo = Step.prototype.commit;
      return () => {
        Step.prototype.undo = undo;
      };
    },
  },
  'the ledger takes the same record twice': {
    scenario: 'copy',
    within: 60,
    planted: {
      ledger: (ledger) => {
        let entries = 0;
        return { ...ledger, record: (entry) => ledger.record({ ...entry, id: `${entry.id} ${entries++}` }) };
      },
    },
  },
  'positions are taken from the consumer group and not from the checkpoint': {
    scenario: 'word-count',
    within: 60,
    planted: componentsWith((component) => {
      if (component.kind !== 'spout' || component.code.kind !== 'log') return component;
      const { code } = component;
      const open = async (task: never): Promise<LogReader> => {
        const reader = await code.open(task);
        return {
          seek: (split) => reader.seek(split, undefined),
          pause: (split) => reader.pause(split),
          resume: (split) => reader.resume(split),
          next: (max) => reader.next(max),
          commit: (positions) => reader.commit(positions),
          close: () => reader.close?.(),
        };
      };
      return { ...component, code: { ...code, open } };
    }),
  },
  'an epoch and the mark that it was published are two transactions': {
    scenario: 'word-count',
    within: 60,
    planted: transactionsWith((own, log) => ({
      async publish(topic, records, marker) {
        await log.produce(topic, records);
        await own.publish(topic, [], marker);
      },
    })),
  },
  'what was complete and not published is forgotten at the next start': {
    scenario: 'word-count',
    within: 60,
    planted: storeWith((store) => ({
      async completed() {
        const all = await store.completed();
        return all.map((info) => ({ ...info, facts: { ...info.facts, outputs: {} } }));
      },
    })),
  },
};
