import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuple } from '../../index.ts';
import { bolt, manualBolt, topology, type } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import type { Bolt } from '../../topology/bolt.ts';
import type { Stream } from '../../topology/stream.ts';
import { Table, World, words } from './pipeline.fixture.ts';

/** Something that turns words into numbers, and its sum behind it. */
function sums(
  input: readonly string[],
  code: Bolt<(word: string) => void, Stream<number>, 'no key'>,
  table: Table<number>,
) {
  return topology('sums', (t) => {
    const read = t.spout('words', new ArraySource(type<string>(), { s: input }, true).spout);
    t.sink(
      'table',
      t.bolt('sum', read.shuffle(), code, { onError: { retries: 2, backoff: 10 } }).shuffle(),
      table.sink,
    );
  });
}

const sum = (rows: readonly number[]) => rows.reduce((a, b) => a + b, 0);

/** Counts in memory alone, and acks at once. `failing`: how often its flush throws. */
const tally = (failing: { times: number }) =>
  manualBolt({
    emits: type<number>(),
    prepare: ({ emit, ack }) => {
      let count = 0;
      return {
        execute: (tuple: Tuple<string>) => {
          count++;
          ack(tuple);
        },
        flush() {
          if (count > 0 && failing.times-- > 0) throw new Error('not yet');
          if (count > 0) emit(count, []);
          count = 0;
        },
      };
    },
  });

/** The same as a bolt that need not ack. */
const counter = (failing: { times: number }) =>
  bolt({
    emits: type<number>(),
    prepare: ({ emit }) => {
      let count = 0;
      return {
        execute: (_: string) => void count++,
        flush() {
          if (count > 0 && failing.times-- > 0) throw new Error('not yet');
          if (count > 0) emit(count);
          count = 0;
        },
      };
    },
  });

for (const [kind, code] of [
  ['manual bolt', tally],
  ['bolt', counter],
] as const) {
  test(`what a ${kind} gathers is given on before each barrier, also where it holds no tuple for it`, async () => {
    const world = new World();
    const table = new Table<number>();
    const input: string[] = words(3);
    const first = await world.start(sums(input, code({ times: 0 }), table));
    await world.runtime.advance(150);
    await first.kill();
    input.push('a');
    const second = await world.start(sums(input, code({ times: 0 }), table));
    await world.runtime.until(second.stop());
    assert.deepEqual(table.rows, [3, 1]);
  });

  test(`a barrier waits while the flush of a ${kind} fails, and what was gathered is lost by no crash`, async () => {
    const world = new World();
    const table = new Table<number>();
    const input: string[] = words(3);
    const failing = { times: 2 };
    const first = await world.start(sums(input, code(failing), table));
    await world.runtime.advance(105);
    assert.deepEqual(first.checkpoints()!.current?.waitsFor, ['sum[0]', 'table[0]']);
    await first.kill();
    const second = await world.start(sums(input, code(failing), table));
    await world.runtime.advance(150);
    assert.deepEqual([table.rows, world.checkpoints.completed.length], [[3], 1]);
    await second.kill();
  });

  test(`a ${kind} that cannot give on what it gathered stops the topology after its retries`, async () => {
    const world = new World();
    const table = new Table<number>();
    const failing = { times: Infinity };
    const running = await world.start(sums(words(3), code(failing), table));
    await assert.rejects(world.runtime.until(running.done), { code: 'MR_USER_CODE' });
    failing.times = 0;
    const again = await world.start(sums(words(3), code(failing), table));
    await world.runtime.until(again.stop());
    assert.equal(sum(table.rows), 3);
  });
}

test('a manual bolt whose flush fails once gives on the tuples that it holds the next time', async () => {
  const world = new World();
  const table = new Table<number>();
  let failures = 1;
  const held = manualBolt({
    emits: type<number>(),
    prepare: ({ emit, ack }) => {
      const tuples: Tuple<string>[] = [];
      return {
        execute: (tuple: Tuple<string>) => void tuples.push(tuple),
        flush() {
          if (tuples.length > 0 && failures-- > 0) throw new Error('not yet');
          for (const tuple of tuples.splice(0)) {
            emit(1, [tuple]);
            ack(tuple);
          }
        },
      };
    },
  });
  const running = await world.start(sums(words(3), held, table));
  await world.runtime.advance(150);
  assert.deepEqual(table.rows, [1, 1, 1]);
  await running.kill();
});
