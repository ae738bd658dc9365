/**
 * Windows of records that are often late. Which of them come too late depends on when the process was down; but each one is
 * in its window once, or in the ledger. It may be in both: it was late, was read again after a crash, and was not late then.
 */
import assert from 'node:assert/strict';
import { structured } from '../../../codec/structured.ts';
import { collect, topology, tumbling, type, windowed } from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';
import { oneOf } from './scenario.ts';

interface Reading {
  readonly number: number;
  readonly device: string;
  readonly at: number;
}

interface Window {
  readonly key: unknown;
  readonly readings: readonly Reading[];
}

const readings = topic('readings', {
  value: json(type<Reading>()),
  key: ({ device }) => device,
  time: ({ at }) => at,
  partitions: 2,
});
const windows = topic('windows', { value: json(type<Window>()) });

export const lateness: Scenario = {
  topology: topology('lateness', (t) => {
    const read = t.spout('readings', topicSpout(readings, { group: 'lateness' }), {
      time: { from: ({ at }) => at, outOfOrder: '50ms' },
      parallelism: 2,
    });
    const counted = t.bolt(
      'count',
      read.fields('device'),
      windowed(tumbling('200ms'), { readings: collect((reading: Reading) => reading) }),
      {
        parallelism: 2,
      },
    );
    t.sink('windows', counted.shuffle(), topicSink(windows));
  }),
  options(random) {
    const records = Array.from({ length: 100 }, (_, i): Given<Reading> => {
      const late = random() < 0.2 ? Math.floor(random() * 1500) : Math.floor(random() * 60);
      return [{ number: i, device: oneOf(random, ['a', 'b', 'c', 'd', 'e']), at: i * 25 }, i * 25, i * 25 + late];
    });
    return {
      inputs: [feed(readings, records)],
      outputs: [windows],
      parallelism: { count: [1, 2, 3], readings: [1, 2] },
      faults: [
        'crash',
        'powerCut',
        'zombie',
        'stall',
        'restart',
        'slowDisk',
        'failedSync',
        'lostAck',
        'throws',
        'doubled',
        'late',
      ],
      check({ inputs, outputs, ledger }) {
        const came = countsOf(inputs.readings!.map(({ value }) => value as Reading));
        const inWindows = countsOf(outputs.windows!.flatMap(({ value }) => (value as Window).readings));
        const late = countsOf(
          ledger.filter(({ cause }) => cause === 'late').map(({ payload }) => structured.decode(payload!) as Reading),
        );
        for (const [number, times] of came) {
          const [seen, lost] = [inWindows.get(number) ?? 0, late.get(number) ?? 0];
          const place = `reading ${number} came ${times} times, is ${seen} times in windows, and was ${lost} times late`;
          assert.ok(seen <= times && seen + lost >= times, place);
        }
      },
    };
  },
};

function countsOf(all: readonly Reading[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { number } of all) counts.set(number, (counts.get(number) ?? 0) + 1);
  return counts;
}
