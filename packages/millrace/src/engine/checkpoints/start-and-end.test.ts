import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sink } from '../../index.ts';
import { bolt, sink, spout, topology, type, value } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import type { Takes } from '../../topology/sink.ts';
import { counting, Table, World, wordCount, words } from './pipeline.fixture.ts';

type Counted = { word: string; count: number };

const staying = (input: readonly string[]) => new ArraySource(type<string>(), { s: input }, true);

test('a checkpoint that is still being saved when a drain begins is not the last one', async () => {
  const world = new World();
  const table = new Table<number>();
  const keep = bolt({
    emits: type<number>(),
    state: { seen: value(0) },
    prepare: ({ emit, state }) => ({
      execute(n: number) {
        state.seen.set(1);
        emit(n);
      },
    }),
  });
  const source = new ArraySource(type<number>(), { s: Array.from({ length: 5000 }, (_, i) => i) }, true);
  const built = topology('many', (t) => {
    const read = t.spout('numbers', source.spout);
    t.sink(
      'table',
      t
        .bolt(
          'keep',
          read.keyBy((n) => n),
          keep,
        )
        .shuffle(),
      table.sink,
    );
  });
  const running = await world.start(built);
  await world.runtime.advance(99);
  // From here on a slice of saving takes as long as it may.
  const { clock, timers } = world.runtime;
  const { monotonic } = clock;
  let looks = 0;
  Object.assign(clock, { monotonic: () => monotonic() + looks++ });
  const stopped = Promise.withResolvers<void>();
  const stopWhenSaving = () => {
    if (running.checkpoints()!.current?.waitsFor.length !== 0) return timers.soon(stopWhenSaving);
    assert.equal(world.checkpoints.completed.length, 0);
    stopped.resolve(running.stop({ drain: true }));
  };
  timers.after(1, stopWhenSaving);
  await world.runtime.until(stopped.promise);
  const ends = world.checkpoints.completed.map(({ info }) => info.facts.finished);
  assert.deepEqual(ends, [false, true]);
});

test('nobody waits for a checkpoint of a topology that has ended', async () => {
  for (const end of ['stop', 'kill'] as const) {
    const world = new World();
    const running = await world.start(wordCount(staying(words(3)), new Table<Counted>()));
    await world.runtime.until(running[end]());
    await assert.rejects(world.runtime.until(running.checkpoint()), /the topology has ended/);
  }
});

test('a checkpoint that is asked for under load is made at once', async () => {
  const world = new World();
  const table = new Table<Counted>();
  let begin = () => {};
  let given = 30_000;
  const busy = spout({
    emits: type<string>(),
    open: ({ emit, wake }) => {
      begin = () => {
        given = 0;
        wake();
      };
      return {
        nextTuple() {
          if (given === 30_000) return false;
          emit(`word ${given++ % 3}`);
          return true;
        },
      };
    },
  });
  const built = topology('busy', (t) => {
    const read = t.spout('busy', busy);
    t.sink(
      'table',
      t
        .bolt(
          'count',
          read.keyBy((w) => w),
          counting(),
        )
        .shuffle(),
      table.sink,
    );
  });
  const running = await world.start(built, { interval: 1000 });
  const asked = running.checkpoint();
  begin();
  await world.runtime.until(asked);
  const { table: sent } = world.checkpoints.completed[0]!.info.facts.outputs;
  assert.equal(given, 30_000);
  assert.ok(sent! > 0 && sent! < 3000, `${sent} had come when it was made`);
  await running.kill();
});

test('what is due by the clock when a topology starts is told when all that is downstream is open', async () => {
  const world = new World();
  const written: string[] = [];
  const slow: Sink<Takes<string>> = sink<string>({
    mode: 'upsert',
    batch: { size: 1, every: 10 },
    open: async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return { write: (values) => void written.push(...values) };
    },
  });
  const remind = bolt({
    emits: type<string>(),
    timers: { due: 'clock' },
    prepare: ({ emit, timers, now }) => ({
      execute: (_: string) => timers.due.set(now() + 200),
      timer: { due: (_, key) => emit(`remember ${String(key)}`) },
    }),
  });
  const built = () =>
    topology('reminders', (t) => {
      const reminders = t.bolt(
        'remind',
        t.spout('words', staying(['a']).spout).keyBy((w) => w),
        remind,
      );
      t.sink('slow', reminders.shuffle(), slow, { onError: { retries: 0 } });
    });
  const first = await world.start(built());
  await world.runtime.advance(150);
  await first.kill();
  await world.runtime.advance(500);
  const second = await world.start(built());
  await world.runtime.advance(10);
  assert.deepEqual([written, world.ledger.list()], [['remember a'], []]);
  await second.kill();
});

test('a start that is refused leaves no sink open', async () => {
  const world = new World();
  const table = new Table<string>();
  const { epochs, ...rest } = table.sink;
  let open = 0;
  const counted: Sink<Takes<string>> = {
    ...rest,
    epochs: {
      open: async (task) => {
        open++;
        return { ...(await epochs!.open(task)), close: () => void open-- };
      },
    },
  };
  const input: string[] = words(3);
  const start = () =>
    world.start(topology('copy', (t) => t.sink('table', t.spout('words', staying(input).spout).shuffle(), counted)));
  for (let i = 0; i < 2; i++) {
    const running = await start();
    await world.runtime.advance(150);
    input.push('a');
    await running.kill();
  }
  world.checkpoints.completed.pop();
  await assert.rejects(start(), { code: 'MR_CHECKPOINT_BEHIND' });
  assert.equal(open, 0);
});

test('a topology that fails while it is being opened leaves nothing open', async () => {
  const world = new World();
  const table = new Table<string>();
  const source = staying(words(3));
  let opened = 0;
  const slow = sink<string>({
    mode: 'append',
    batch: { size: 1, every: 1 },
    open: async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      opened++;
      return { write() {}, close: () => void opened-- };
    },
  });
  const built = () =>
    topology('copies', (t) => {
      const read = t.spout('words', source.spout);
      t.sink('table', read.shuffle(), table.sink, { onError: { retries: 0 } });
      t.sink('slow', read.shuffle(), slow);
    });
  table.publishing = () => new Promise(() => {});
  const first = await world.start(built());
  await world.runtime.advance(150);
  await first.kill();
  // What is left to be published fails while the others are still being opened.
  table.publishing = () => {
    throw new Error('no such table');
  };
  await assert.rejects(world.start(built()), /no such table/);
  assert.equal(opened, 0);
});
