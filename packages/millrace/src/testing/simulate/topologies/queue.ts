/** A queue without state: acking alone, and nothing is lost. */
import { asyncBolt, sink, spout, topology, type } from '../../../index.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

const doubled = asyncBolt({
  concurrency: 4,
  execute: async (n: number) => {
    await new Promise((resolve) => setTimeout(resolve, n % 50));
    return 2 * n;
  },
});

export const queue: Scenario = {
  topology: topology('queue', (t) => {
    const numbers = t.spout('numbers', spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) }), {
      messageTimeout: '2s',
    });
    const twice = t.bolt('twice', numbers.shuffle(), doubled);
    t.sink('added', twice.shuffle(), sink<number>({ mode: 'append', batch: { size: 7, every: '30ms' }, write() {} }));
  }),
  options() {
    return {
      inputs: [
        feed(
          'numbers',
          Array.from({ length: 100 }, (_, i): Given<number> => [i, i * 20]),
        ),
      ],
    };
  },
};
