import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuple } from '../index.ts';
import { asyncBolt, bolt, list, manualBolt, sink, spout, topology, type, value } from '../index.ts';
import { testRun } from '../testing.ts';

interface Reading {
  device: string;
  site: string;
  value: number;
}
interface Alert extends Reading {
  z: number;
}

function zScore(x: number, seen: readonly number[]): number {
  if (seen.length < 5) return 0;
  const mean = seen.reduce((a, b) => a + b) / seen.length;
  return Math.abs(x - mean) / (Math.sqrt(seen.reduce((a, b) => a + (b - mean) ** 2, 0) / seen.length) || 1);
}

const detect = bolt({
  emits: { alerts: type<Alert>(), normal: type<Reading>() },
  state: { seen: list(type<number>()) },
  prepare: ({ emit, state }) => ({
    execute(r: Reading) {
      const z = zScore(r.value, state.seen.get());
      state.seen.append(r.value);
      if (z > 2) emit.alerts({ ...r, z });
      else emit.normal(r);
    },
  }),
});
const leaders = bolt({
  emits: type<[device: string, alerts: number][]>(),
  state: { counts: value<Record<string, number>>({}) },
  tick: '10s',
  prepare: ({ emit, state: { counts } }) => ({
    execute(a: Alert) {
      counts.set({ ...counts.get(), [a.device]: (counts.get()[a.device] ?? 0) + 1 });
    },
    tick() {
      emit(
        Object.entries(counts.get())
          .sort((a, b) => b[1] - a[1])
          .slice(0, 3),
      );
    },
  }),
});
const addOwner = asyncBolt({
  concurrency: 16,
  order: 'perKey',
  timeout: '2s',
  execute: async (a: Alert) => ({ ...a, owner: `owner of ${a.device}` }),
});
const inserted: Alert[] = [];
const save = manualBolt({
  tick: '1s',
  prepare({ ack }) {
    let held: Tuple<Alert>[] = [];
    const flush = () => {
      const batch = held;
      held = [];
      for (const tuple of batch) {
        inserted.push(tuple.value);
        ack(tuple);
      }
    };
    return {
      execute(t: Tuple<Alert>) {
        if (held.push(t) === 500) flush();
      },
      tick: flush,
      flush,
    };
  },
});
const report = bolt({
  emits: type<string>(),
  prepare: ({ emit }) => ({
    execute: {
      reading(r: Reading) {
        emit(`${r.device} ok`);
      },
      alert(a: Alert) {
        emit(`${a.device} ${a.z}`);
      },
    },
  }),
});
const never = spout({ emits: type<Reading>(), open: () => ({ nextTuple: () => false }) });

const detector = topology('anomaly-detector', (t) => {
  const raw = t.spout('readings', never, { parallelism: 4 });
  const clean = t.bolt('clean', raw.shuffle(), (r) => (Number.isFinite(r.value) ? r : undefined));
  const { alerts, normal } = t.bolt('detect', clean.fields('device'), detect, { parallelism: 2 });
  const top = t.bolt('leaders', alerts.global(), leaders);
  const owned = t.bolt('owner', alerts.fields('device'), addOwner);
  t.sink('rows', alerts.shuffle(), sink({ mode: 'append', batch: { size: 500, every: '1s' }, write: () => {} }));
  t.bolt('db', alerts.shuffle(), save);
  const lines = t.bolt('report', { reading: normal.fields('device'), alert: alerts.keyBy((a) => a.device) }, report);
  return { raw, alerts, top, owned, lines };
});

for (const encodeEdges of [false, true]) {
  test(`one spike, one alert, on the board at the next tick (edges encoded: ${encodeEdges})`, async () => {
    inserted.length = 0;
    const run = testRun(detector, { encodeEdges });
    for (const x of [50, 51, 49, 50, 51, 49, 95]) run.feed('raw', { device: 'd1', site: 'north', value: x });
    await run.advance('10s');
    assert.deepEqual(
      run.read('alerts').map((a) => a.value),
      [95],
    );
    assert.deepEqual(run.read('top'), [[['d1', 1]]]);
    assert.equal(run.read('owned')[0]?.owner, 'owner of d1');
    assert.equal(run.read('lines').filter((l) => l.endsWith('ok')).length, 6);
    assert.equal(run.written('rows').length, 1);
    assert.equal(inserted.length, 1);
    assert.deepEqual([run.acked, run.failed], [7, 0]);
    assert.equal(run.metrics('detect').executed, 7);
  });
}

test('the same test gives the same result, randomness and the clock in user code included', async () => {
  const dice = topology('dice', (t) => {
    const raw = t.spout('raw', never);
    const rolled = t.bolt('roll', raw.shuffle(), (r) => [r.value, Math.random(), Date.now(), new Date().toISOString()]);
    return { raw, rolled };
  });
  const once = async (seed: number) => {
    const run = testRun(dice, { seed, start: 1_000_000 });
    for (let i = 0; i < 5; i++) {
      run.feed('raw', { device: 'd', site: 's', value: i });
      await run.advance('1h');
    }
    return run.read('rolled');
  };
  const first = await once(7);
  assert.deepEqual(await once(7), first);
  assert.notDeepEqual(await once(8), first);
  assert.deepEqual(
    first.map((rolled) => rolled[2]),
    [0, 1, 2, 3, 4].map((h) => 1_000_000 + h * 3_600_000),
  );
});

test('a bolt that changes a value it was given is found out', async () => {
  const thief = topology('thief', (t) => {
    const raw = t.spout('raw', never);
    const out = t.bolt(
      'change',
      raw.shuffle(),
      (r) => {
        r.value = 0;
        return r;
      },
      { onError: { retries: 0 } },
    );
    return { raw, out };
  });
  const run = testRun(thief);
  run.feed('raw', { device: 'd', site: 's', value: 1 });
  await run.settle();
  assert.deepEqual(run.read('out'), []);
  assert.match(run.ledger()[0]!.detail, /'change' task 0 failed: Cannot assign to read only property 'value'/);
});

test('a value that could not cross to another worker is an error when edges are encoded', async () => {
  const functions = topology('functions', (t) => {
    const raw = t.spout('raw', never);
    const out = t.bolt('make', raw.shuffle(), () => ({ call: () => 1 }));
    t.bolt('use', out.shuffle(), () => {});
    return { raw };
  });
  const run = testRun(functions, { encodeEdges: true });
  assert.throws(() => run.feed('raw', { device: 'd', site: 's', value: 1 }), {
    code: 'MR_EDGE_ENCODING',
  });
});

test('reading a stream that the topology does not give back says which there are', () => {
  const run = testRun(detector);
  assert.throws(() => run.read('raws' as 'raw'), {
    code: 'MR_UNKNOWN_STREAM',
    message: /'raw', 'alerts', 'top', 'owned', 'lines'/,
  });
  assert.throws(() => run.written('row'), { message: /there is no component 'row' here; declared so far: 'rows'/ });
});

test('what could not cross to another worker is told as well when a promise gave it', async () => {
  const functions = topology('functions', (t) => {
    const raw = t.spout('raw', never);
    const make = asyncBolt({ concurrency: 1, execute: async () => ({ call: () => 1 }) });
    t.bolt('use', t.bolt('make', raw.shuffle(), make).shuffle(), () => {});
    return { raw };
  });
  const run = testRun(functions, { encodeEdges: true });
  run.feed('raw', { device: 'd', site: 's', value: 1 });
  await assert.rejects(run.settle(), { code: 'MR_EDGE_ENCODING' });
});

interface Visit {
  readonly page: string;
  readonly at: number;
}
/** Visits per page, told ten seconds after the first one. */
const visits = bolt({
  emits: type<string>(),
  state: { count: value(0) },
  timers: { tell: 'event' },
  prepare: ({ emit, state: { count }, timers }) => ({
    execute(_: Visit, time: number) {
      if (count.get() === 0) timers.tell.set(time + 10_000);
      count.set(count.get() + 1);
    },
    timer: {
      tell(_, page) {
        emit(`${page}: ${count.get()}`);
        count.clear();
      },
    },
  }),
});
const site = topology('site', (t) => {
  const raw = t.spout('raw', spout({ emits: type<Visit>(), open: () => ({ nextTuple: () => false }) }), {
    time: { from: (v) => v.at },
  });
  return { raw, counts: t.bolt('visits', raw.fields('page'), visits, { parallelism: 3 }) };
});

test('a value has the time that its spout would find in it, and a time that is none sends it to the ledger', async () => {
  const run = testRun(site);
  run.feed('raw', { page: 'a', at: 5_000 });
  run.feed('raw', { page: 'a', at: Number.NaN });
  run.feed('raw', { page: 'b', at: 5_000 }, 7_000);
  assert.deepEqual(
    run.readTimed('raw').map(([v, time]) => [v.page, time]),
    [
      ['a', 5_000],
      ['b', 7_000],
    ],
  );
  await run.watermark(16_000);
  assert.deepEqual(run.readTimed('counts'), [['a: 1', 15_000]]);
  await run.end();
  assert.deepEqual(run.readTimed('counts'), [['b: 1', 17_000]]);
  assert.deepEqual(
    run.ledger().map(({ component, cause, detail }) => [component, cause, detail]),
    [['raw', 'time', 'its time is NaN, which is not a number of milliseconds since 1970, 0 or more']],
  );
});

test('what a component keeps for a key is there to be looked at, and so is that it keeps nothing any more', async () => {
  const run = testRun(site);
  for (const page of ['a', 'b', 'a']) run.feed('raw', { page, at: 1_000 });
  assert.deepEqual(run.state('visits', 'a'), { state: { count: 2 }, timers: [{ name: 'tell', time: 11_000 }] });
  assert.deepEqual(run.keys('visits').sort(), ['a', 'b']);
  await run.watermark(11_000);
  assert.equal(run.state('visits', 'a'), undefined);
  assert.deepEqual(run.keys('visits'), []);
  assert.throws(() => run.keys('visit'), { code: 'MR_UNKNOWN_COMPONENT' });
});

test('a year of visits takes no longer than its visits', async () => {
  const run = testRun(site);
  const day = 86_400_000;
  for (let d = 0; d < 365; d++) {
    run.feed('raw', { page: `page ${d}`, at: d * day });
    await run.watermark(d * day);
  }
  assert.equal(run.read('counts').length, 364);
  assert.deepEqual(run.keys('visits'), ['page 364']);
});

test('a watermark stays behind the values that were fed before it, also while a queue is full', async () => {
  const slow = asyncBolt({
    concurrency: 1,
    execute: (v: Visit) => new Promise<Visit>((resolve) => setTimeout(() => resolve(v), 10)),
  });
  const t = topology('slow', (t) => {
    const raw = t.spout('raw', spout({ emits: type<Visit>(), open: () => ({ nextTuple: () => false }) }));
    const passed = t.bolt('slow', raw.shuffle(), slow, { queue: 1 });
    return { raw, passed, counts: t.bolt('visits', passed.fields('page'), visits) };
  });
  const run = testRun(t);
  for (let i = 0; i < 5; i++) run.feed('raw', { page: 'a', at: 0 }, 0);
  assert.equal(run.metrics('slow').queued, 2);
  await run.watermark(10_000);
  run.feed('raw', { page: 'a', at: 0 }, 20_000);
  await run.advance('1s');
  assert.deepEqual(run.read('counts'), ['a: 5']);
  assert.equal(run.state('visits', 'a')?.state.count, 1);
});

test('the watermark of a stream that no spout gives is refused: it follows from others', async () => {
  await assert.rejects(testRun(site).watermark(1, 'counts'), {
    code: 'MR_OPTION',
    message: /"counts".* a stream of a spout/,
  });
});
