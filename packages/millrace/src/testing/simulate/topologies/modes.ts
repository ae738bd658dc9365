/** One stream into sinks of every mode, all of them modelled: each gets what it declares. The source is played. */

import type { SinkMode } from '../../../index.ts';
import { bolt, logSpout, sink, topology, type, value } from '../../../index.ts';
import { ASKED_FOR, FAULT_KINDS } from '../faults.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';
import { oneOf } from './scenario.ts';

interface Seen {
  readonly device: string;
  readonly times: number;
}

const sinkOf = (mode: SinkMode) => {
  const batch = { size: 5, every: '20ms' } as const;
  if (mode !== 'transactional') return sink<Seen>({ mode, batch, write() {} });
  return sink<Seen>({
    mode,
    batch,
    write() {},
    epochs: { open: () => ({ claim: async () => undefined, publish() {} }) },
  });
};

const counting = bolt({
  emits: type<Seen>(),
  state: { times: value(0) },
  prepare: ({ emit, state }) => ({
    execute(device: string) {
      state.times.set(state.times.get() + 1);
      emit({ device, times: state.times.get() });
    },
  }),
});

/** It is played, so nothing of it is asked. */
const devices = logSpout<string>({
  emits: type<string>(),
  splits: () => [],
  open: () => ({ seek() {}, pause() {}, resume() {}, next: () => false, commit: async () => {} }),
});

const device = (seen: Seen) => seen.device;

export const modes: Scenario = {
  topology: topology('modes', (t) => {
    const seen = t.bolt(
      'seen',
      t.spout('devices', devices).keyBy((name) => name),
      counting,
      { parallelism: 2 },
    );
    t.sink('once', seen.fields('device'), sinkOf('transactional'));
    t.sink('latest', seen.fields('device'), sinkOf('upsert'));
    t.sink('added', seen.fields('device'), sinkOf('append'));
  }),
  options(random) {
    const records = Array.from({ length: 120 }, (_, i): Given<string> => [oneOf(random, ['a', 'b', 'c', 'd']), i * 25]);
    return {
      inputs: [feed('devices', records)],
      keys: { once: device, latest: device, added: device },
      state: ['seen'],
      parallelism: { seen: [1, 2, 3] },
      // Nobody keeps an instance that is thought dead from writing by key.
      faults: FAULT_KINDS.filter((kind) => ![...ASKED_FOR, 'zombie'].includes(kind)),
    };
  },
};
