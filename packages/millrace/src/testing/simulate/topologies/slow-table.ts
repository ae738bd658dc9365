/** Sessions of clicks into one transactional table, which is often late, lost or refusing: epochs wait to be published. */
import { bolt, count, session, sink, topology, type, value, windowed } from '../../../index.ts';
import { json, topic, topicSpout } from '../../../topic.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';
import { oneOf } from './scenario.ts';

interface Click {
  readonly user: string;
  readonly at: number;
}
interface Row {
  readonly user: string;
  readonly row: number;
  readonly clicks: number;
}

const clicks = topic('clicks', { value: json(type<Click>()), key: ({ user }) => user, time: ({ at }) => at });

/** Numbers the sessions of each user. */
const numbered = bolt({
  emits: type<Row>(),
  state: { rows: value(0) },
  prepare: ({ emit, state: { rows } }) => ({
    execute({ key, clicks }: { readonly key: unknown; readonly clicks: number }) {
      rows.set(rows.get() + 1);
      emit({ user: key as string, row: rows.get(), clicks });
    },
  }),
});

const table = sink<Row>({
  mode: 'transactional',
  batch: { size: 10, every: '10ms' },
  write() {},
  epochs: { open: () => ({ claim: async () => undefined, publish() {} }) },
});

export const slowTable: Scenario = {
  topology: topology('slow-table', (t) => {
    const clicked = t.spout('clicks', topicSpout(clicks, { group: 'sessions' }), { time: { from: ({ at }) => at } });
    const sessions = t.bolt('sessions', clicked.fields('user'), windowed(session('100ms'), { clicks: count() }));
    const rows = t.bolt(
      'number',
      sessions.keyBy(({ key }) => key as string),
      numbered,
      { parallelism: 2 },
    );
    t.sink('table', rows.fields('user'), table);
  }),
  options(random) {
    const records = Array.from({ length: 120 }, (_, i): Given<Click> => {
      return [{ user: oneOf(random, ['ada', 'ben', 'cleo']), at: i * 25 }, i * 25];
    });
    return {
      inputs: [feed(clicks, records)],
      keys: { table: (row: Row) => row.user },
      state: ['number'],
      parallelism: { number: [1, 2, 3], sessions: [1, 2] },
      faults: ['crash', 'powerCut', 'zombie', 'restart', 'lostAck', 'lateAck', 'refusal'],
    };
  },
};
