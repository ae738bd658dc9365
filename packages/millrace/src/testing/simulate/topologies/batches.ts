/** A manual bolt that holds records for a batch, a generator with fan-out behind it, and a count of each record in the end. */

import type { Tuple } from '../../../index.ts';
import { bolt, flatMap, manualBolt, topology, type, value } from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Part {
  readonly number: number;
  readonly part: number;
}
interface Times extends Part {
  readonly times: number;
}

const numbers = topic('numbers', { value: json(type<number>()), key: (n) => `${n % 7}`, partitions: 2 });
const parts = topic('parts', {
  value: json(type<Times>()),
  key: ({ number }) => String(number),
  config: { 'segment.bytes': 2048 },
});
const SIZE = 7;
const PARTS = 3;

const batching = manualBolt({
  emits: type<readonly number[]>(),
  tick: '300ms',
  prepare({ emit, ack }) {
    let held: Tuple<number>[] = [];
    const flush = () => {
      const batch = held;
      held = [];
      if (batch.length === 0) return;
      emit(
        batch.map((tuple) => tuple.value),
        batch,
      );
      for (const tuple of batch) ack(tuple);
    };
    return {
      execute(tuple: Tuple<number>) {
        if (held.push(tuple) === SIZE) flush();
      },
      tick: flush,
      flush,
    };
  },
});

const counting = bolt({
  emits: type<Times>(),
  state: { times: value(0) },
  prepare: ({ emit, state: { times } }) => ({
    execute(one: Part) {
      times.set(times.get() + 1);
      emit({ ...one, times: times.get() });
    },
  }),
});

export const batches: Scenario = {
  topology: topology('batches', (t) => {
    const read = t.spout('numbers', topicSpout(numbers, { group: 'batches' }));
    const held = t.bolt('batch', read.shuffle(), batching);
    const split = t.bolt(
      'split',
      held.shuffle(),
      flatMap(function* (batch: readonly number[]) {
        for (const number of batch) for (let part = 0; part < PARTS; part++) yield { number, part };
      }),
    );
    const counted = t.bolt(
      'count',
      split.keyBy(({ number, part }) => [number, part] as const),
      counting,
      { parallelism: 2 },
    );
    t.sink('parts', counted.fields('number'), topicSink(parts));
  }),
  options() {
    return {
      inputs: [
        feed(
          numbers,
          Array.from({ length: 80 }, (_, i): Given<number> => [i, i * 30]),
        ),
      ],
      outputs: [parts],
      unordered: ['parts'],
      parallelism: { batch: [1, 2], split: [1, 2], count: [1, 2, 3] },
      expect: (inputs) => ({
        parts: inputs.numbers!.flatMap(({ value }) =>
          Array.from({ length: PARTS }, (_, part) => ({ number: value, part, times: 1 })),
        ),
      }),
    };
  },
};
