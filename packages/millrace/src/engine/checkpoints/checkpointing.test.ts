import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../errors.ts';
import type { Tuple } from '../../index.ts';
import { asyncBolt, bolt, logSpout, manualBolt, sink, spout, topology, type, value } from '../../index.ts';
import { ArraySource } from '../../testing/start-virtual.ts';
import { counting, Table, World, wordCount, words } from './pipeline.fixture.ts';

test('a count goes on where the last checkpoint was, and nothing comes out twice or is left out', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(10);
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 10);
  input.push(...words(5));
  await first.kill();
  const source = new ArraySource(type<string>(), { s: input }, true);
  const second = await world.start(wordCount(source, table));
  await world.runtime.advance(150);
  await first.kill();
  assert.deepEqual(source.taken, 5);
  const byWord = (word: string) => table.rows.filter((row) => row.word === word).map(({ count }) => count);
  assert.deepEqual(['a', 'b', 'c'].map(byWord), [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4],
  ]);
  assert.deepEqual(second.checkpoints()!.restored, { incarnation: 1, number: 1 });
  await second.kill();
});

test('what was not in a completed checkpoint is done again, and comes out once', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(9);
  world.checkpoints.complete = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(500);
  assert.deepEqual([table.rows, world.checkpoints.completed], [[], []]);
  await first.kill();
  world.checkpoints.complete = async () => {};
  const second = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 9);
  await second.kill();
});

test('an epoch that was complete and not published is published by the next start', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(9);
  table.publishing = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.equal(world.checkpoints.completed.length, 1);
  await first.kill();
  table.publishing = () => {};
  const source = new ArraySource(type<string>(), { s: input }, true);
  const second = await world.start(wordCount(source, table));
  await world.runtime.advance(1);
  assert.deepEqual([table.rows.length, table.epochs, source.taken], [9, [{ incarnation: 1, number: 1 }], 0]);
  await second.kill();
});

test('it is published as well where that start asks for less', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  table.publishing = () => new Promise(() => {});
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table));
  await world.runtime.advance(150);
  await first.kill();
  table.publishing = () => {};
  const source = new ArraySource(type<string>(), { s: words(4) }, true);
  const second = await world.start(wordCount(source, table), { guarantee: 'at-least-once' });
  await world.runtime.until(second.stop());
  assert.deepEqual(table.rows.map(({ word, count }) => `${word}${count}`).sort(), ['a1', 'a2', 'b1', 'c1']);
});

test('a stop makes a last checkpoint and publishes; a completed topology begins anew', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const staying = () => wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table);
  const first = await world.start(staying());
  await world.runtime.until(first.stop());
  assert.equal(table.rows.length, 3);
  const second = await world.start(staying());
  await world.runtime.until(second.stop());
  assert.equal(table.rows.length, 3);
  const ending = () => wordCount(new ArraySource(type<string>(), { s: words(4) }), table);
  await world.runtime.until((await world.start(ending())).done);
  assert.equal(table.rows.length, 4);
  await world.runtime.until((await world.start(ending())).done);
  assert.deepEqual(
    table.rows
      .slice(4)
      .map(({ word, count }) => `${word}${count}`)
      .sort(),
    ['a1', 'a2', 'b1', 'c1'],
  );
});

test('a barrier waits for the calls of an asynchronous bolt, and what goes another way waits for the barrier', async () => {
  const world = new World();
  const table = new Table<string>();
  const source = new ArraySource(type<string>(), { s: words(4) }, true);
  const slow = asyncBolt({
    concurrency: 2,
    execute: async (word: string) => {
      await new Promise((resolve) => setTimeout(resolve, 70));
      return `slow ${word}`;
    },
  });
  const joined = topology('joined', (t) => {
    const read = t.spout('words', source.spout);
    const slowly = t.bolt('slow', read.shuffle(), slow);
    const both = t.bolt(
      'both',
      { slowly: slowly.global(), directly: read.global() },
      bolt({
        emits: type<string>(),
        state: { seen: value(0) },
        prepare: ({ emit, state }) => {
          const take = (word: string) => {
            state.seen.set(state.seen.get() + 1);
            emit(`${state.seen.get()} ${word}`);
          };
          return { execute: { slowly: take, directly: take } };
        },
      }),
    );
    t.sink('table', both.shuffle(), table.sink);
  });
  const running = await world.start(joined);
  await world.runtime.advance(120);
  const current = running.checkpoints()!.current;
  assert.deepEqual(current?.waitsFor, ['slow[0]', 'both[0]', 'table[0]']);
  await world.runtime.advance(200);
  assert.equal(table.rows.length, 8);
  assert.deepEqual(table.rows.filter((row) => row.includes('slow')).length, 4);
  await running.kill();
});

test('an older instance that is still alive can neither complete nor publish', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const old = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  let refused: unknown;
  old.done.catch((thrown: unknown) => {
    refused = thrown;
  });
  // Its publication is under way when the other one takes over.
  let goOn = () => {};
  table.publishing = () => new Promise<void>((resolve) => (goOn = resolve));
  await world.runtime.advance(150);
  table.publishing = () => {};
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(10);
  assert.equal(table.rows.length, 3);
  goOn();
  await world.runtime.advance(200);
  assert.equal((refused as { code: string }).code, 'MR_SINK_CLAIMED');
  assert.deepEqual([table.rows.length, next.state], [3, 'active']);
  await next.kill();
});

test('an older instance whose checkpoint comes too late stops', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const old = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await assert.rejects(world.runtime.until(old.done), { code: 'MR_SUPERSEDED' });
  await world.runtime.advance(150);
  assert.deepEqual([table.rows.length, next.state], [3, 'active']);
  await next.kill();
});

test('a checkpoint that is too slow is given up, and the next one has all that it had', async () => {
  const world = new World();
  const table = new Table<string>();
  const source = new ArraySource(type<string>(), { s: words(2) }, true);
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const stuck = topology('stuck', (t) => {
    const read = t.spout('words', source.spout);
    const slowly = t.bolt(
      'slow',
      read.shuffle(),
      asyncBolt({ concurrency: 2, execute: (word: string) => held.then(() => word) }),
    );
    const counted = t.bolt(
      'count',
      read.keyBy((w) => w),
      counting(),
    );
    t.sink('slowly', slowly.shuffle(), table.sink);
    t.sink('counts', counted.shuffle(), new Table<unknown>().sink as never);
  });
  const running = await world.start(stuck, { timeout: 300 });
  await world.runtime.advance(1000);
  assert.deepEqual([running.checkpoints()!.completed, running.checkpoints()!.current?.number], [0, 1]);
  assert.ok(
    world.log.some((line) => line.includes('checkpoint 1 is given up after 300ms: it waits for slow[0], slowly[0]')),
  );
  release();
  await world.runtime.advance(150);
  assert.deepEqual([running.checkpoints()!.completed, running.checkpoints()!.failed, table.rows], [1, 1, ['a', 'b']]);
  const { facts, keys } = world.checkpoints.newest!.info;
  assert.deepEqual([facts.outputs, keys, facts.sources.words?.s?.position], [{ slowly: 2, counts: 2 }, 2, 2]);
  await running.kill();
});

test('a disk that refuses delays what comes out, and loses none of it', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const source = new ArraySource(type<string>(), { s: input }, true);
  world.checkpoints.complete = async () => {
    throw new Error('ENOSPC: no space left on device');
  };
  const running = await world.start(wordCount(source, table));
  await world.runtime.advance(250);
  input.push(...words(3));
  source.wake();
  await world.runtime.advance(200);
  assert.deepEqual([table.rows, running.checkpoints()!.failed > 1], [[], true]);
  world.checkpoints.complete = async () => {};
  await world.runtime.advance(150);
  assert.equal(table.rows.length, 6);
  await running.kill();
  const again = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until(again.stop());
  assert.equal(table.rows.length, 6);
});

test('at its bound the outbox holds the spouts back, and an epoch of many bytes is cut early', async () => {
  const world = new World();
  const table = new Table<string>();
  const long = Array.from({ length: 4000 }, (_, i) => `${i} ${'x'.repeat(100)}`);
  const source = new ArraySource(type<string>(), { s: long }, true);
  let publish = () => {};
  table.publishing = () => new Promise<void>((resolve) => (publish = resolve));
  const copied = topology('copy', (t) => {
    t.sink('table', t.spout('lines', source.spout).shuffle(), table.sink);
  });
  const running = await world.start(copied, {
    interval: 10_000,
    outbox: { bytes: 100_000, total: 200_000, epochs: 10 },
  });
  await world.runtime.advance(100);
  assert.ok(running.checkpoints()!.completed > 0, 'cut long before its interval');
  const waiting = source.taken;
  assert.ok(waiting >= 1500 && waiting < 3000, `${waiting} were taken`);
  await world.runtime.advance(1000);
  assert.equal(source.taken, waiting);
  table.publishing = () => {};
  publish();
  await world.runtime.advance(100);
  await world.runtime.until(running.stop());
  assert.deepEqual(table.rows, long);
});

test('inputs that are retried come before the barrier that follows them', async () => {
  const world = new World();
  const table = new Table<string>();
  let failures = 2;
  const picky = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state }) => ({
      execute(word: string) {
        state.seen.set(state.seen.get() + 1);
        emit(`${word}${state.seen.get()}`);
        if (word === 'b' && failures-- > 0) throw new Error('not yet');
      },
    }),
  });
  const built = topology('picky', (t) => {
    const all = t.bolt('picky', t.spout('words', source.spout).global(), picky, { onError: { backoff: 100 } });
    t.sink('table', all.shuffle(), table.sink);
  });
  const source = new ArraySource(type<string>(), { s: words(3) }, true);
  const running = await world.start(built);
  await world.runtime.advance(150);
  assert.deepEqual(running.checkpoints()!.current?.waitsFor, ['picky[0]', 'table[0]']);
  await world.runtime.advance(400);
  assert.deepEqual(table.rows, ['a1', 'b2', 'c3']);
  assert.deepEqual(world.checkpoints.newest!.info.facts.sources.words?.s?.position, 3);
  await running.kill();
});

test('a manual bolt gives on what it holds before the barrier, and gets nothing that is behind it', async () => {
  const world = new World();
  const table = new Table<string>();
  const input: string[] = words(3);
  const source = new ArraySource(type<string>(), { s: input }, true);
  const pairs = manualBolt({
    emits: type<string>(),
    prepare: ({ emit, ack }) => {
      const held: Tuple<string>[] = [];
      let busy = false;
      const give = () => {
        if (busy || held.length === 0) return;
        busy = true;
        const batch = held.splice(0, 2);
        setTimeout(() => {
          busy = false;
          emit(batch.map((tuple) => tuple.value).join(''), batch);
          for (const tuple of batch) ack(tuple);
        }, 30);
      };
      return { execute: (tuple: Tuple<string>) => void held.push(tuple), flush: give };
    },
  });
  const built = topology('pairs', (t) => {
    t.sink('table', t.bolt('pairs', t.spout('words', source.spout).shuffle(), pairs).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(110);
  input.push('d', 'e');
  source.wake();
  await world.runtime.advance(30);
  assert.deepEqual(running.checkpoints()!.current?.waitsFor, ['pairs[0]', 'table[0]']);
  await world.runtime.advance(40);
  assert.deepEqual([table.rows, world.checkpoints.newest!.info.facts.sources.words?.s?.position], [['ab', 'c'], 3]);
  await world.runtime.advance(200);
  assert.deepEqual(table.rows, ['ab', 'c', 'de']);
  await running.kill();
});

test('a sink that publishes at once has written what came before the barrier when the checkpoint is complete', async () => {
  const world = new World();
  const rows: string[] = [];
  let written = () => {};
  const slow = sink<string>({
    mode: 'upsert',
    batch: { size: 100, every: 60_000 },
    write: (values) =>
      new Promise<void>((resolve) => {
        written = () => {
          rows.push(...values);
          resolve();
        };
      }),
  });
  const source = new ArraySource(type<string>(), { s: words(3) }, true);
  const built = topology('slow', (t) => {
    const counted = t.bolt(
      'count',
      t.spout('words', source.spout).keyBy((w) => w),
      counting(),
    );
    t.sink('table', t.bolt('text', counted.shuffle(), ({ word }) => word).shuffle(), slow);
  });
  const running = await world.start(built);
  await world.runtime.advance(200);
  assert.deepEqual([world.checkpoints.completed.length, running.checkpoints()!.current?.waitsFor], [0, ['table[0]']]);
  written();
  await world.runtime.advance(10);
  assert.deepEqual([world.checkpoints.completed.length, rows], [1, ['a', 'b', 'c']]);
  await running.kill();
});

test('a queue spout is told that a message is done when the checkpoint behind it is complete', async () => {
  const world = new World();
  const acked: unknown[] = [];
  let emitted = 0;
  const queue = spout({
    emits: type<string>(),
    open: ({ emit }) => ({
      nextTuple() {
        if (emitted === 3) return false;
        emit(`m${emitted}`, emitted++);
        return true;
      },
      ack: (id) => void acked.push(id),
    }),
  });
  const built = topology('queue', (t) => {
    t.bolt(
      'count',
      t.spout('queue', queue).keyBy((w) => w),
      counting(),
    );
  });
  const running = await world.start(built);
  await world.runtime.advance(90);
  assert.deepEqual(acked, []);
  await world.runtime.advance(20);
  assert.deepEqual(acked, [0, 1, 2]);
  await running.kill();
});

test('timers, event time and the positions of splits are there again, with another parallelism as well', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = { p0: [1, 2, 3], p1: [1, 5] };
  const expire = bolt({
    emits: type<string>(),
    state: { count: value(0) },
    timers: { end: 'event' },
    prepare: ({ emit, state, timers, watermark }) => ({
      execute(_: number, time: number) {
        state.count.set(state.count.get() + 1);
        timers.end.set(time + 10);
      },
      timer: { end: (time, key) => emit(`${String(key)} at ${time}: ${state.count.get()}, ${watermark()}`) },
    }),
  });
  const built = (source: ArraySource<number>, parallelism: number) =>
    topology('timers', (t) => {
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n }, parallelism });
      t.sink(
        'table',
        t
          .bolt(
            'expire',
            read.keyBy((n) => n),
            expire,
            { parallelism },
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built(new ArraySource(type<number>(), input, true), 1));
  await world.runtime.advance(150);
  await first.kill();
  const { facts } = world.checkpoints.newest!.info;
  assert.deepEqual(facts.sources.numbers, {
    p0: { position: 3, newest: 3, watermark: 2 },
    p1: { position: 2, newest: 5, watermark: 4 },
  });
  assert.deepEqual(facts.watermarks, { expire: 2 });
  input.p0.push(14);
  input.p1.push(20);
  const source = new ArraySource(type<number>(), input, true);
  const second = await world.start(built(source, 3));
  await world.runtime.advance(150);
  assert.equal(source.taken, 2);
  assert.deepEqual([...table.rows].sort(), ['1 at 11: 2, 13', '2 at 12: 1, 13', '3 at 13: 1, 13']);
  await second.kill();
});

test('a run without checkpoints is refused where there are some to go on from', async () => {
  const world = new World();
  const table = new Table<string>();
  const copy = () =>
    topology('copy', (t) => {
      t.sink(
        'table',
        t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout).shuffle(),
        table.sink,
      );
    });
  const first = await world.start(copy());
  await world.runtime.until(first.stop());
  await assert.rejects(world.start(copy(), { guarantee: 'at-least-once' }), { code: 'MR_CHECKPOINTS_KEPT' });
  const again = await world.start(copy());
  await world.runtime.until(again.stop({ drain: true }));
  const free = await world.start(copy(), { guarantee: 'at-least-once' });
  await world.runtime.until(free.stop());
});

test('a sink that has published more than is kept stops the start', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input = words(3);
  const start = () => world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const first = await start();
  await world.runtime.advance(150);
  input.push('a');
  await first.kill();
  const second = await start();
  await world.runtime.advance(150);
  await second.kill();
  world.checkpoints.completed.pop();
  await assert.rejects(start(), { code: 'MR_CHECKPOINT_BEHIND' });
});

test('what is saved as changes is whole again after the third start, also under another name', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(3);
  const named = (id: string) =>
    topology('words', (t) => {
      const read = t.spout('words', new ArraySource(type<string>(), { s: input }, true).spout);
      t.sink(
        'table',
        t
          .bolt(
            id,
            read.keyBy((w) => w),
            counting(),
          )
          .shuffle(),
        table.sink,
      );
    });
  for (const [id, more, renamed] of [
    ['count', [], []],
    ['count', ['a'], []],
    ['tally', ['b'], [['count', 'tally']]],
    ['tally', ['c'], []],
    ['tally', ['a', 'b', 'c'], []],
  ] as const) {
    input.push(...more);
    const running = await world.start(named(id), { take: { renamed: new Map(renamed) } });
    await world.runtime.advance(150);
    await running.kill();
  }
  const counts = table.rows.slice(-3).map(({ word, count }) => `${word}${count}`);
  assert.deepEqual(counts, ['a3', 'b3', 'c3']);
});

test('epochs of several starts that were never published are published in their order', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = ['a'];
  table.publishing = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const source = new ArraySource(type<string>(), { s: input }, true);
    const running = await world.start(wordCount(source, table));
    await world.runtime.advance(150);
    input.push('a');
    source.wake();
    await world.runtime.advance(100);
    await running.kill();
    input.push('a');
  }
  table.publishing = () => {};
  const last = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until(last.stop());
  assert.deepEqual(
    table.rows.map(({ count }) => count),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    table.epochs.map(({ incarnation, number }) => `${incarnation}.${number}`),
    ['1.1', '2.4', '3.5'],
  );
});

test('what waits for a slow sink is published together, under the id of its newest epoch, up to a bound', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = ['a'];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const copied = topology('copy', (t) => {
    t.sink('table', t.spout('lines', source.spout).shuffle(), table.sink);
  });
  let publish = () => {};
  table.publishing = () => new Promise<void>((resolve) => (publish = resolve));
  const running = await world.start(copied, { outbox: { bytes: 1e9, total: 1e9, epochs: 100 } });
  await world.runtime.advance(150);
  for (const line of ['b', 'c', 'x'.repeat(5_000_000), 'd']) {
    input.push(line);
    source.wake();
    await world.runtime.advance(100);
  }
  table.publishing = () => {};
  publish();
  await world.runtime.advance(50);
  assert.deepEqual(
    table.epochs.map(({ number }) => number),
    [1, 3, 4, 5],
  );
  assert.deepEqual(table.rows, input);
  assert.deepEqual(running.checkpoints()!.unpublished, { epochs: 0, bytes: 0 });
  await running.kill();
});

test('what an older instance completes and publishes while it is being taken over from is seen', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = ['a'];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const old = await world.start(wordCount(source, table));
  await world.runtime.advance(150);
  // The store's claim is made and the sink's is not yet, when a checkpoint that was begun before is completed.
  let complete = () => {};
  world.checkpoints.complete = () => new Promise<void>((resolve) => (complete = resolve));
  input.push('a');
  source.wake();
  await world.runtime.advance(100);
  table.claiming = async () => {
    world.checkpoints.claims--;
    complete();
    await new Promise((resolve) => setTimeout(resolve, 10));
    world.checkpoints.claims++;
    world.checkpoints.complete = async () => {};
  };
  const next = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  assert.deepEqual(
    table.rows.map(({ count }) => count),
    [1, 2],
  );
  await Promise.all([old.kill(), next.kill()]);
});

test('records that were taken from the source and not sent off are not in the checkpoint', async () => {
  const world = new World();
  const table = new Table<number>();
  const input = Array.from({ length: 100 }, (_, i) => i);
  const slow = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 7));
      return n;
    },
  });
  const built = () =>
    topology('slow', (t) => {
      const read = t.spout('numbers', new ArraySource(type<number>(), { s: input }, true).spout);
      t.sink('table', t.bolt('slow', read.shuffle(), slow, { queue: 4 }).shuffle(), table.sink);
    });
  for (let i = 0; i < 4; i++) {
    const running = await world.start(built());
    await world.runtime.advance(250);
    await running.kill();
  }
  const last = await world.start(built());
  await world.runtime.advance(2000);
  await world.runtime.until(last.stop());
  assert.deepEqual(table.rows, input);
});

test('event time goes on where it was: what was late stays late', async () => {
  const world = new World();
  const table = new Table<string>();
  const input = { p: [100] };
  const lateness = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state, watermark }) => ({
      execute(n: number) {
        state.seen.set(1);
        emit(`${n} at ${watermark()}`);
      },
    }),
  });
  const built = () =>
    topology('late', (t) => {
      const source = new ArraySource(type<number>(), input, true);
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n } });
      t.sink(
        'table',
        t
          .bolt(
            'late',
            read.keyBy(() => 'all'),
            lateness,
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built());
  await world.runtime.advance(150);
  await first.kill();
  assert.equal(world.checkpoints.newest!.info.facts.watermarks.late, 99);
  input.p.push(50, 60);
  const second = await world.start(built());
  await world.runtime.advance(150);
  await second.kill();
  assert.deepEqual(table.rows.slice(1), ['50 at 99', '60 at 99']);
  assert.deepEqual(world.checkpoints.newest!.info.facts.sources.numbers?.p, {
    position: 3,
    newest: 100,
    watermark: 99,
  });
});

test('where many tuples wait for a slow way to bring the barrier, the slow way goes on', async () => {
  const world = new World();
  const table = new Table<string>();
  const input: string[] = [];
  const source = new ArraySource(type<string>(), { s: input }, true);
  const slow = asyncBolt({
    concurrency: 8,
    order: 'ordered',
    execute: async (word: string) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return `slow ${word}`;
    },
  });
  const built = topology('meeting', (t) => {
    const read = t.spout('words', source.spout);
    const some = t.bolt('some', read.shuffle(), (word) => (Number(word) % 10 === 0 ? word : undefined));
    const slowly = t.bolt('slow', some.shuffle(), slow, { queue: 500 });
    const both = t.bolt(
      'both',
      { slowly: slowly.global(), directly: read.global() },
      {
        ...bolt({
          emits: type<string>(),
          prepare: ({ emit }) => ({ execute: { slowly: (w: string) => emit(w), directly: (w: string) => emit(w) } }),
        }),
      },
      { queue: 8 },
    );
    t.sink('table', both.shuffle(), table.sink);
  });
  const running = await world.start(built, { interval: 10 });
  for (let i = 0; i < 1000; i++) {
    input.push(`${input.length}`, `${input.length + 1}`, `${input.length + 2}`);
    source.wake();
    await world.runtime.advance(1);
  }
  await world.runtime.advance(3000);
  await world.runtime.until(running.stop());
  assert.equal(table.rows.length, 3300);
  assert.deepEqual(
    table.rows.filter((row) => !row.startsWith('slow')),
    input,
  );
});

test('what a manual bolt fails is in the ledger, and so is a timer that nobody could be told, once', async () => {
  const world = new World();
  const table = new Table<string>();
  const giveUp = manualBolt({
    emits: type<string>(),
    prepare: ({ emit, ack, fail }) => ({
      execute(tuple: Tuple<string>) {
        if (tuple.value === 'b') return fail(tuple, new Error('not this one'));
        emit(tuple.value, [tuple]);
        ack(tuple);
      },
      flush() {},
    }),
  });
  const alarm = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    timers: { due: 'event' },
    prepare: ({ state, timers }) => ({
      execute(_: string) {
        state.seen.set(1);
        timers.due.set(0);
      },
      timer: {
        due() {
          throw new Error('nobody is there');
        },
      },
    }),
  });
  const built = () =>
    topology('given-up', (t) => {
      const read = t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout);
      t.sink('table', t.bolt('manual', read.shuffle(), giveUp).shuffle(), table.sink);
      t.bolt(
        'alarm',
        read.keyBy((w) => w),
        alarm,
        { onError: { retries: 0 } },
      );
    });
  world.checkpoints.complete = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const running = await world.start(built());
    await world.runtime.advance(150);
    await running.kill();
    world.checkpoints.complete = async () => {};
  }
  const entries = [...world.ledger.list({ limit: 100 })].map(({ component, cause }) => `${component} ${cause}`);
  assert.deepEqual(entries.sort(), ['alarm error', 'alarm error', 'alarm error', 'manual error']);
  assert.deepEqual(table.rows, ['a', 'c']);
});

test('what a timer gave and was lost on its way is in the ledger once, however often the timer is told', async () => {
  const world = new World();
  const due = bolt({
    emits: type<string>(),
    timers: { due: 'event' },
    prepare: ({ emit, timers }) => ({
      execute: (_: number, time: number) => timers.due.set(time),
      timer: { due: (_, key) => emit(`due ${String(key)}`) },
    }),
  });
  const built = () =>
    topology('due', (t) => {
      const source = new ArraySource(type<number>(), { s: [1, 2, 30] }, true);
      const read = t.spout('numbers', source.spout, { time: { from: (n: number) => n } });
      const told = t.bolt(
        'due',
        read.keyBy((n) => n),
        due,
      );
      const refuse = (text: string): string => {
        throw new Error(`no ${text}`);
      };
      const refused = t.bolt('refuse', told.shuffle(), refuse, { onError: { retries: 0 } });
      t.sink('table', refused.shuffle(), new Table<string>().sink);
    });
  world.checkpoints.complete = () => new Promise(() => {});
  for (let i = 0; i < 2; i++) {
    const running = await world.start(built());
    await world.runtime.advance(150);
    await running.kill();
    world.checkpoints.complete = async () => {};
  }
  const origins = world.ledger.list().map(({ origin }) => `${origin?.split} ${origin?.position}`);
  assert.deepEqual(origins.sort(), ['due 1 1', 'due 2 2']);
});

test('a checkpoint is complete only when the ledger has what was lost before it', async () => {
  const world = new World();
  const safe = Promise.withResolvers<void>();
  const { ledger } = world;
  world.ledger = { ...ledger, record: (entry) => safe.promise.then(() => ledger.record(entry)) };
  const table = new Table<string>();
  const built = topology('refusing', (t) => {
    const read = t.spout('words', new ArraySource(type<string>(), { s: words(3) }, true).spout);
    const refuse = bolt({ emits: type<string>(), prepare: ({ reject }) => ({ execute: (_: string) => reject('no') }) });
    t.sink('table', t.bolt('refuse', read.shuffle(), refuse).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(300);
  assert.equal(world.checkpoints.completed.length, 0);
  safe.resolve();
  await world.runtime.advance(150);
  assert.equal(world.checkpoints.completed.length, 1);
  await running.kill();
});

test('event time does not go back where its source begins anew', async () => {
  const world = new World();
  const table = new Table<string>();
  const seen = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state, watermark }) => ({
      execute(n: number) {
        state.seen.set(1);
        emit(`${n} at ${watermark()}`);
      },
    }),
  });
  const built = (id: string, numbers: readonly number[]) =>
    topology('anew', (t) => {
      const source = new ArraySource(type<number>(), { p: numbers }, true);
      const read = t.spout(id, source.spout, { time: { from: (n: number) => n } });
      t.sink(
        'table',
        t
          .bolt(
            'seen',
            read.keyBy(() => 'all'),
            seen,
          )
          .shuffle(),
        table.sink,
      );
    });
  const first = await world.start(built('old', [100]));
  await world.runtime.advance(150);
  await first.kill();
  const second = await world.start(built('new', [50]), { take: { dropped: new Set(['old']) } });
  await world.runtime.until(second.stop());
  assert.deepEqual(table.rows.slice(1), ['50 at 99']);
});

test('a watermark that is behind a barrier does not overtake the tuples that wait for it', async () => {
  const world = new World();
  const table = new Table<string>();
  const fast = { p: [10] };
  const source = new ArraySource(type<number>(), fast, true);
  const slow = asyncBolt({
    concurrency: 1,
    execute: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return n;
    },
  });
  const told = bolt({
    emits: type<string>(),
    prepare: ({ emit, watermark }) => ({
      execute: {
        slowly: (n: number) => emit(`slow ${n} at ${watermark()}`),
        directly: (n: number) => emit(`${n} at ${watermark()}`),
      },
    }),
  });
  const built = topology('overtaking', (t) => {
    const time = { from: (n: number) => n };
    const read = t.spout('fast', source.spout, { time });
    const other = t.spout('slow', new ArraySource(type<number>(), { q: [1000, 1001] }, true).spout, { time });
    const slowly = t.bolt('slowly', other.shuffle(), slow, { queue: 4 });
    t.sink('table', t.bolt('told', { slowly: slowly.global(), directly: read.global() }, told).shuffle(), table.sink);
  });
  const running = await world.start(built);
  await world.runtime.advance(250);
  fast.p.push(20);
  source.wake();
  await world.runtime.advance(50);
  fast.p.push(30);
  source.wake();
  await world.runtime.advance(400);
  assert.deepEqual(
    table.rows.filter((row) => !row.startsWith('slow')),
    ['10 at -Infinity', '20 at 9', '30 at 19'],
  );
  await running.kill();
});

test('where the checkpoints were deleted a topology begins anew, and its sinks know it as the newest start', async () => {
  const table = new Table<{ word: string; count: number }>();
  const start = (world: World) => world.start(wordCount(new ArraySource(type<string>(), { s: words(3) }, true), table));
  const before = new World();
  for (let i = 0; i < 3; i++) await before.runtime.until((await start(before)).stop());
  const anew = new World();
  const running = await start(anew);
  await anew.runtime.until(running.stop());
  assert.deepEqual([table.rows.length, table.epochs.at(-1)], [6, { incarnation: 4, number: 1 }]);
  assert.ok(anew.log.some((line) => line.includes('has published epoch 1.1 before')));
});

test('state that cannot be read any more when its turn comes ends the topology, and nothing beside it', async () => {
  const world = new World();
  const table = new Table<{ word: string; count: number }>();
  const input: string[] = words(9);
  const first = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.advance(150);
  await first.kill();
  for (const parts of world.checkpoints.newest!.parts.values())
    for (const part of parts)
      Object.assign(part, {
        keys() {
          throw new MillraceError('MR_CHECKPOINT_CORRUPT', ['1.1', 'a file', 'it is not there', 'no other']);
        },
      });
  const second = await world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  const ended = assert.rejects(second.done, { code: 'MR_CHECKPOINT_CORRUPT' });
  await world.runtime.advance(10);
  await ended;
});

for (const [retriable, state] of [
  [true, 'active'],
  [false, 'failed'],
] as const) {
  test(`a source that cannot note how far it is done, retriable: ${retriable}, leaves the topology ${state}`, async () => {
    const world = new World();
    const table = new Table<string>();
    const refusing = logSpout<string>({
      emits: type<string>(),
      splits: () => ['s'],
      open: (task) => {
        let given = false;
        return {
          seek() {},
          pause() {},
          resume() {},
          next() {
            if (!given) task.emit('s', 0, 1, 'a', 0);
            given = true;
            return false;
          },
          commit: () => Promise.reject(Object.assign(new Error('the disk is gone'), { retriable })),
        };
      },
    });
    const running = await world.start(
      topology('refused', (t) => t.sink('table', t.spout('one', refusing).shuffle(), table.sink)),
    );
    await world.runtime.advance(500);
    assert.equal(running.state, state);
    await running.kill();
  });
}

test('older checkpoints that were brought back are refused by what the sinks have published, at the first start', async () => {
  const table = new Table<{ word: string; count: number }>();
  const world = new World();
  const input: string[] = words(3);
  const start = () => world.start(wordCount(new ArraySource(type<string>(), { s: input }, true), table));
  await world.runtime.until((await start()).stop());
  const backup = { completed: [...world.checkpoints.completed], claims: world.checkpoints.claims };
  for (let i = 0; i < 3; i++) {
    input.push('a');
    await world.runtime.until((await start()).stop());
  }
  world.checkpoints.completed.splice(0, Infinity, ...backup.completed);
  world.checkpoints.claims = backup.claims;
  await assert.rejects(start(), { code: 'MR_CHECKPOINT_BEHIND' });
});
