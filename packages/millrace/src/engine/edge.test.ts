import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Input, Stream } from '../index.ts';
import { bolt, direct, spout, topology, type } from '../index.ts';
import { testRun } from '../testing.ts';

interface Visit {
  user: string;
  page: string;
  n: number;
}
const never = spout({ emits: type<Visit>(), open: () => ({ nextTuple: () => false }) });
const visits = Array.from({ length: 400 }, (_, n) => ({ user: `user-${n % 50}`, page: `page-${n % 7}`, n }));

/** Feeds all visits through one grouping into four tasks; gives back what each task got. */
async function spread(group: (raw: Stream<Visit>) => Input<Visit>, seed = 1): Promise<Visit[][]> {
  const got: Visit[][] = [[], [], [], []];
  const note = bolt({ prepare: ({ index }) => ({ execute: (v: Visit) => void got[index]!.push(v) }) });
  const run = testRun(
    topology('spread', (t) => {
      const raw = t.spout('raw', never);
      t.bolt('note', group(raw) as Input<Visit, undefined>, note, { parallelism: 4 });
      return { raw };
    }),
    { seed },
  );
  for (const visit of visits) run.feed('raw', visit);
  await run.settle();
  return got;
}
const sizes = (got: Visit[][]) => got.map((g) => g.length);
const tasksOf = (got: Visit[][], of: (v: Visit) => string) => {
  const tasks = new Map<string, Set<number>>();
  for (const [task, g] of got.entries()) {
    for (const v of g) tasks.set(of(v), (tasks.get(of(v)) ?? new Set()).add(task));
  }
  return [...tasks.values()].map((t) => t.size);
};

test('shuffle and local-or-shuffle go round evenly, from a start that depends on the seed', async () => {
  assert.deepEqual(sizes(await spread((raw) => raw.shuffle())), [100, 100, 100, 100]);
  assert.deepEqual(sizes(await spread((raw) => raw.localOrShuffle())), [100, 100, 100, 100]);
  const starts = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    starts.add((await spread((raw) => raw.shuffle(), seed)).findIndex((g) => g[0]?.n === 0));
  }
  assert.ok(starts.size > 1);
});

test('fields and keyBy send equal keys to one task, in order, and use all tasks', async () => {
  for (const group of [(raw: Stream<Visit>) => raw.fields('user'), (raw: Stream<Visit>) => raw.keyBy((v) => v.user)]) {
    const got = await spread(group);
    assert.deepEqual(new Set(tasksOf(got, (v) => v.user)), new Set([1]));
    assert.ok(
      sizes(got).every((n) => n > 0),
      `${sizes(got)}`,
    );
    for (const g of got) for (let i = 1; i < g.length; i++) assert.ok(g[i]!.n > g[i - 1]!.n);
  }
  const pairs = await spread((raw) => raw.fields('user', 'page'));
  assert.deepEqual(new Set(tasksOf(pairs, (v) => `${v.user} ${v.page}`)), new Set([1]));
  assert.ok(
    tasksOf(pairs, (v) => v.user).some((n) => n > 1),
    'the pair is the key, not its first part',
  );
});

test('all sends to every task, global to the first, none to any', async () => {
  assert.deepEqual(sizes(await spread((raw) => raw.all())), [400, 400, 400, 400]);
  assert.deepEqual(sizes(await spread((raw) => raw.global())), [400, 0, 0, 0]);
  const none = sizes(await spread((raw) => raw.none()));
  assert.equal(
    none.reduce((a, b) => a + b),
    400,
  );
  assert.ok(none.every((n) => n > 50));
});

test('partialKey splits a key over two tasks at most, evenly', async () => {
  const skewed = await spread((raw) => raw.partialKey(() => 'one key'));
  assert.deepEqual(
    sizes(skewed).filter((n) => n > 0),
    [200, 200],
  );
  const got = await spread((raw) => raw.partialKey((v) => v.user));
  assert.ok(tasksOf(got, (v) => v.user).every((n) => n <= 2));
});

test('custom chooses one task or several; a task that is not there sends the value to the ledger', async () => {
  const got = await spread((raw) => raw.custom((v, tasks) => (v.n % 2 === 0 ? [0, tasks - 1] : 1)));
  assert.deepEqual(sizes(got), [200, 200, 0, 200]);
  const run = testRun(
    topology('wrong', (t) => {
      const raw = t.spout('raw', never);
      t.bolt(
        'note',
        raw.custom((v) => v.n),
        () => {},
        { parallelism: 2 },
      );
      return { raw };
    }),
  );
  for (const n of [1, 2]) run.feed('raw', { user: 'u', page: 'p', n });
  await run.settle();
  assert.equal(run.metrics('note').executed, 1);
  assert.match(run.ledger()[0]!.detail, /the custom grouping of 'note' chose task 2: choose 0 to 1/);
});

test('a direct stream goes where the emitter says', async () => {
  const got: number[][] = [[], [], []];
  const router = bolt({
    emits: { work: direct(type<number>()) },
    prepare: ({ emit, tasksOf }) => ({ execute: (v: Visit) => emit.work(v.n % tasksOf('worker'), v.n) }),
  });
  const worker = bolt({ prepare: ({ index }) => ({ execute: (n: number) => void got[index]!.push(n) }) });
  const run = testRun(
    topology('direct', (t) => {
      const raw = t.spout('raw', never);
      t.bolt('worker', t.bolt('router', raw.shuffle(), router).work.direct(), worker, { parallelism: 3 });
      return { raw };
    }),
  );
  for (const visit of visits.slice(0, 6)) run.feed('raw', visit);
  assert.deepEqual(got, [
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  const { streams } = run.metrics('router');
  assert.deepEqual(streams, [{ stream: 'work', emitted: 6, transferred: 6 }]);
});
