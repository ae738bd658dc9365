/** One stream takes two ways, through an asynchronous bolt and past it, and is joined again: barriers must be aligned. */
import { asyncBolt, bolt, topology, type, value } from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Order {
  readonly id: string;
  readonly amount: number;
}
interface Joined {
  readonly id: string;
  readonly count: number;
  readonly sum: number;
}

const orders = topic('orders', { value: json(type<Order>()), key: ({ id }) => id, partitions: 2 });
const joined = topic('joined', { value: json(type<Joined>()), key: ({ id }) => id });

const rated = asyncBolt({
  concurrency: 8,
  order: 'perKey',
  execute: async (order: Order) => {
    await new Promise((resolve) => setTimeout(resolve, (order.amount * 7) % 90));
    return { ...order, amount: order.amount * 2 };
  },
});

/** Each order comes twice, and the second one of the two is told: how many have, and their sum. */
const both = bolt({
  emits: type<Joined>(),
  state: { direct: value(0), rated: value(0), sum: value(0) },
  prepare: ({ emit, state }) => {
    const tell = (id: string, before: number) => {
      const count = Math.min(state.direct.get(), state.rated.get());
      if (count > before) emit({ id, count, sum: 0 });
    };
    return {
      execute: {
        direct({ id, amount }: Order) {
          const before = Math.min(state.direct.get(), state.rated.get());
          state.direct.set(state.direct.get() + 1);
          state.sum.set(state.sum.get() + amount);
          tell(id, before);
        },
        rated({ id, amount }: Order) {
          const before = Math.min(state.direct.get(), state.rated.get());
          state.rated.set(state.rated.get() + 1);
          state.sum.set(state.sum.get() + amount);
          tell(id, before);
        },
      },
    };
  },
});

export const join: Scenario = {
  topology: topology('join', (t) => {
    const read = t.spout('orders', topicSpout(orders, { group: 'join' }));
    const slow = t.bolt('rate', read.fields('id'), rated, { queue: 16 });
    const met = t.bolt('both', { direct: read.fields('id'), rated: slow.fields('id') }, both, { parallelism: 2 });
    t.sink('joined', met.fields('id'), topicSink(joined));
  }),
  options(random) {
    const records = Array.from({ length: 80 }, (_, i): Given<Order> => {
      return [{ id: `o${Math.floor(random() * 6)}`, amount: 1 + Math.floor(random() * 50) }, i * 25];
    });
    return {
      inputs: [feed(orders, records)],
      outputs: [joined],
      state: ['both'],
      parallelism: { both: [1, 2, 3], rate: [1, 2] },
    };
  },
};
