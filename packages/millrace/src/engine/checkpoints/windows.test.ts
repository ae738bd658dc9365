/** Everything that is made of state and timers, killed between any two records: what comes out is what a run without gives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bolt } from '../../index.ts';
import {
  collect,
  count,
  countWindow,
  features,
  last,
  mean,
  over,
  session,
  sinceLast,
  sliding,
  stddev,
  sum,
  topK,
  topology,
  tumbling,
  type,
  windowed,
} from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import type { Stream } from '../../topology/stream.ts';
import { Table, World } from './pipeline.fixture.ts';

interface Reading {
  readonly device: string;
  readonly at: number;
  readonly value: number;
}

const RECORDS = 60;
/** A record each millisecond, up to 3 ms out of order, with silences in which sessions end. */
const readings = Array.from({ length: RECORDS }, (_, i) => ({
  device: 'abc'[(i * i) % 3]!,
  at: i + Math.floor(i / 13) * 25 + ((i * 7) % 4),
  value: (i * 37) % 11,
}));

const of = (r: Reading) => r.value;
const BOLTS: { readonly [name: string]: () => unknown } = {
  tumbling: () => windowed(tumbling(10), { n: count(), mean: mean(of), all: collect(of) }),
  sliding: () => windowed(sliding(20, 5), { n: count(), deviation: stddev(of), top: topK(2, of) }, { lateness: 10 }),
  session: () => windowed(session(4), { n: count(), last: last(of) }),
  count: () => windowed(countWindow(5, 2), { sum: sum(of), n: count() }),
  features: () =>
    features({
      mean: over(
        sliding(20, 5),
        mean((r: Reading) => r.value),
      ),
      n: over(tumbling(10), count()),
      since: sinceLast('1d'),
    }),
};

/** What comes out, in any order, when the topology is killed after each record whose place `kills` names. */
async function run(code: unknown, kills: (i: number) => boolean): Promise<readonly string[]> {
  const world = new World();
  const table = new Table<object>();
  const input: Reading[] = [];
  const start = async () => {
    const source = new ArraySource(type<Reading>(), { s: input }, true);
    const built = topology('windows', (t) => {
      const read = t.spout('readings', source.spout, { time: { from: (r) => r.at, outOfOrder: 4 } });
      const made = t.bolt('made', read.fields('device'), code as Bolt<(r: Reading) => void, Stream<object>>, {
        parallelism: 2,
      });
      t.sink('table', (made as Stream<object>).shuffle(), table.sink);
    });
    return { running: await world.start(built, { interval: 4 }), source };
  };
  let { running, source } = await start();
  for (const [i, reading] of readings.entries()) {
    input.push(reading);
    source.wake();
    await world.runtime.advance(1);
    if (!kills(i)) continue;
    await running.kill();
    ({ running, source } = await start());
  }
  await world.runtime.until(running.stop({ drain: true }));
  return table.rows.map((row) => JSON.stringify(row)).toSorted();
}

for (const [name, code] of Object.entries(BOLTS)) {
  test(`${name}: killed between any two records, it gives what it gives without`, async () => {
    const expected = await run(code(), () => false);
    assert.ok(expected.length >= 10, `${expected.length} rows`);
    for (let at = 0; at < 10; at++) assert.deepEqual(await run(code(), (i) => i % 10 === at), expected, `at ${at}`);
  });
}
