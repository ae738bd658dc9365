/** Features of payments by event time: windows, timers, a table; what is late does not come into it. */
import {
  bolt,
  count,
  features,
  mapOf,
  mean,
  over,
  sinceLast,
  sink,
  sliding,
  topology,
  tumbling,
  type,
  windowed,
} from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Payment {
  readonly card: string;
  readonly amount: number;
  readonly at: number;
}
interface Silent {
  readonly card: string;
  readonly since: number;
  readonly payments: number;
}

const paid = topic('payments', {
  value: json(type<Payment>()),
  key: ({ card }) => card,
  time: ({ at }) => at,
  partitions: 2,
});
const scored = topic('scored', { value: json(type<Payment & { readonly rate: number }>()), key: ({ card }) => card });
const totals = topic('totals', { value: json(type<{ readonly key: unknown; readonly payments: number }>()) });

/** A card that has not paid for a second of event time. A payment may come before a timer that is earlier than it is. */
const silence = bolt({
  emits: type<Silent>(),
  state: { seen: mapOf<number, number>(type<number>()) },
  timers: { silent: 'event' },
  prepare: ({ emit, state: { seen }, timers }) => ({
    execute(_: Payment, time: number) {
      seen.set(time, (seen.get(time) ?? 0) + 1);
      timers.silent.set(time + 1000);
    },
    timer: {
      silent(time, card) {
        const since = time - 1000;
        const times = [...seen.keys()].filter((one) => one <= time);
        if (times.some((one) => one > since)) return;
        emit({ card: card as string, since, payments: times.reduce((sum, one) => sum + seen.get(one)!, 0) });
        for (const one of times) seen.delete(one);
      },
    },
  }),
});

const definition = topology('features', (t) => {
  const payments = t.spout('payments', topicSpout(paid, { group: 'features' }), {
    time: { from: ({ at }) => at, outOfOrder: '1s' },
  });
  const known = t.bolt(
    'features',
    payments.fields('card'),
    features({
      rate: over(tumbling('2s'), count()),
      usual: over(
        sliding('4s', '1s'),
        mean(({ amount }: Payment) => amount),
      ),
      since: sinceLast('5s'),
    }),
    { parallelism: 2 },
  );
  t.sink('known', known.fields('card'), topicSink(scored));
  const perCard = t.bolt('totals', payments.fields('card'), windowed(tumbling('1s'), { payments: count() }));
  t.sink('windows', perCard.shuffle(), topicSink(totals));
  const silent = t.bolt('silence', payments.fields('card'), silence);
  t.sink(
    'silent',
    silent.shuffle(),
    sink<Silent>({
      mode: 'transactional',
      batch: { size: 10, every: '10ms' },
      write() {},
      epochs: { open: () => ({ claim: async () => undefined, publish() {} }) },
    }),
  );
});

export const featuresOfPayments: Scenario = {
  topology: definition,
  options(random) {
    const records = Array.from({ length: 80 }, (_, i): Given<Payment> => {
      const at = i * 60;
      // It comes up to a third of a second late.
      return [
        { card: `c${Math.floor(random() * 6)}`, amount: Math.floor(random() * 100), at },
        at,
        at + Math.floor(random() * 350),
      ];
    });
    return {
      inputs: [feed(paid, records)],
      outputs: [scored, totals],
      parallelism: { features: [1, 2, 3], silence: [1, 2], totals: [1, 2], payments: [1, 2] },
      unordered: ['scored'],
    };
  },
};
