/** A queue in front of state: what was given and is in no checkpoint comes again, and nothing is lost. */
import assert from 'node:assert/strict';
import { bolt, sink, spout, topology, type, value } from '../../../index.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Seen {
  readonly number: number;
  readonly times: number;
}

const counting = bolt({
  emits: type<Seen>(),
  state: { times: value(0) },
  prepare: ({ emit, state: { times } }) => ({
    execute(number: number) {
      times.set(times.get() + 1);
      emit({ number, times: times.get() });
    },
  }),
});

export const queueWithState: Scenario = {
  topology: topology('queue-with-state', (t) => {
    const numbers = t.spout('numbers', spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) }), {
      messageTimeout: '2s',
    });
    const seen = t.bolt(
      'seen',
      numbers.keyBy((number) => number),
      counting,
      { parallelism: 2 },
    );
    t.sink(
      'table',
      seen.fields('number'),
      sink<Seen>({
        mode: 'transactional',
        batch: { size: 10, every: '10ms' },
        write() {},
        epochs: { open: () => ({ claim: async () => undefined, publish() {} }) },
      }),
    );
  }),
  options() {
    return {
      inputs: [
        feed(
          'numbers',
          Array.from({ length: 80 }, (_, i): Given<number> => [i, i * 25]),
        ),
      ],
      parallelism: { seen: [1, 2, 3] },
      check({ inputs, outputs }) {
        const seen = new Set(outputs.table!.map(({ value }) => (value as Seen).number));
        const lost = inputs.numbers!.filter(({ value }) => !seen.has(value as number));
        assert.deepEqual(lost, []);
        assert.equal(seen.size, inputs.numbers!.length);
      },
    };
  },
};
