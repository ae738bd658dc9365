/**
 * Two inputs and timers of the clock: an order waits for its payment and gives up after a second. Which of the two comes
 * first depends on when the process was down, so what is looked at is that each order is told once, and each payment is.
 */
import assert from 'node:assert/strict';
import { bolt, topology, type, value } from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Event {
  readonly order: string;
}
interface Told {
  readonly order: string;
  readonly what: 'paid' | 'unpaid' | 'paid too late';
}

const ordered = topic('ordered', { value: json(type<Event>()), key: ({ order }) => order, partitions: 2 });
const payments = topic('paid', { value: json(type<Event>()), key: ({ order }) => order, partitions: 2 });
const told = topic('told', { value: json(type<Told>()), key: ({ order }) => order });

const waiting = bolt({
  emits: type<Told>(),
  state: { stands: value<'nothing' | 'ordered' | 'paid' | 'over'>('nothing'), until: value(0) },
  timers: { deadline: 'clock' },
  prepare: ({ emit, state: { stands, until }, timers, now }) => ({
    execute: {
      ordered({ order }: Event) {
        if (stands.get() === 'paid') {
          emit({ order, what: 'paid' });
          stands.set('over');
        } else {
          stands.set('ordered');
          until.set(now() + 1000);
          timers.deadline.set(until.get());
        }
      },
      paid({ order }: Event) {
        if (stands.get() === 'ordered') {
          emit({ order, what: 'paid' });
          stands.set('over');
          timers.deadline.clear(until.get());
        } else if (stands.get() === 'nothing') stands.set('paid');
        else emit({ order, what: 'paid too late' });
      },
    },
    timer: {
      deadline(_, order) {
        emit({ order: order as string, what: 'unpaid' });
        stands.set('over');
      },
    },
  }),
});

export const deadlines: Scenario = {
  topology: topology('deadlines', (t) => {
    const orders = t.spout('orders', topicSpout(ordered, { group: 'deadlines' }));
    const pays = t.spout('payments', topicSpout(payments, { group: 'deadlines' }));
    const ends = t.bolt('wait', { ordered: orders.fields('order'), paid: pays.fields('order') }, waiting, {
      parallelism: 2,
    });
    t.sink('told', ends.fields('order'), topicSink(told));
  }),
  options(random) {
    const orders = Array.from({ length: 60 }, (_, i): Given<Event> => [{ order: `order ${i}` }, i * 40]);
    const paid = orders
      .filter(() => random() < 0.6)
      .map(([event, time]): Given<Event> => [event, time + Math.floor(random() * 900)]);
    return {
      inputs: [feed(ordered, orders), feed(payments, paid)],
      outputs: [told],
      parallelism: { wait: [1, 2, 3] },
      // A clock that goes back puts off what is due.
      quiet: '30s',
      check({ inputs, outputs }) {
        const words = new Map<string, string[]>();
        for (const { value } of outputs.told!) {
          const { order, what } = value as Told;
          words.set(order, [...(words.get(order) ?? []), what]);
        }
        const arePaid = new Set(inputs.paid!.map(({ value }) => (value as Event).order));
        for (const { value } of inputs.ordered!) {
          const { order } = value as Event;
          const said = words.get(order)?.join(', ');
          const right = arePaid.has(order) ? ['paid', 'unpaid, paid too late'] : ['unpaid'];
          assert.ok(
            right.includes(said ?? 'nothing'),
            `of ${order} is said: ${said ?? 'nothing'}; right is ${right.join(' or ')}`,
          );
        }
        assert.equal(words.size, inputs.ordered!.length);
      },
    };
  },
};
