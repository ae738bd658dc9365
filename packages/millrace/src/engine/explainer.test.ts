/** A topology in which time stands still says why, and what it says to do makes it go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BoltOptions, SpoutOptions, Tuple } from '../index.ts';
import {
  asyncBolt,
  bolt,
  count,
  flatMap,
  list,
  manualBolt,
  map,
  reducing,
  topology,
  tumbling,
  type,
  windowed,
} from '../index.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';
import type { Stream } from '../topology/stream.ts';
import type { Holder } from './explanation.ts';
import { explanationText } from './explanation-text.ts';
import type { Asked } from './running.ts';

type Reading = readonly [device: string, at: number];
type Builder = Parameters<Parameters<typeof topology>[1]>[0];

/** Tells the readings of a device 1000 after its first one. A device 'bad' fails while `failing`, a timer of 'worse' as well. */
const counting = (seen: string[], failing: { value: boolean }) =>
  bolt({
    state: { n: reducing(0, (n: number, by: number) => n + by), times: list(type<number>()) },
    timers: { end: 'event' },
    prepare: ({ state, timers }) => ({
      execute([device, at]: Reading) {
        if (device === 'bad' && failing.value) throw new Error('not yet');
        if (state.n.get() === 0) timers.end.set(at + 1000);
        state.n.add(1);
        state.times.append(at);
      },
      timer: {
        end(time, key) {
          if (key === 'worse' && failing.value) throw new Error('not yet');
          seen.push(`${key} ${state.n.get()}@${time}`);
          state.n.clear();
        },
      },
    }),
  });

interface Options {
  readonly time?: SpoutOptions<Reading>['time'];
  readonly spout?: SpoutOptions<Reading>;
  readonly between?: (t: Builder, input: Stream<Reading>) => Stream<Reading>;
  readonly bolt?: BoltOptions;
}

/** Splits of readings that a test adds to, something between, and the bolt above. */
async function counted(splits: { readonly [split: string]: Reading[] }, options: Options = {}) {
  const seen: string[] = [];
  const failing = { value: true };
  const { time = {}, between = (_, input) => input } = options;
  const source = new ArraySource(type<Reading>(), splits, true);
  const built = topology('counts', (t) => {
    const from = ([, at]: Reading) => at;
    const raw = t.spout('readings', source.spout, {
      time: time === 'ingestion' ? time : { from, ...time },
      ...options.spout,
    });
    t.bolt(
      'count',
      between(t, raw).keyBy(([device]) => device),
      counting(seen, failing),
      { onError: { retries: 100, backoff: 10 }, ...options.bolt },
    );
  });
  const { runtime, running, log } = await startVirtual(built);
  await runtime.settle();
  const give = async (split: string, ...records: readonly Reading[]) => {
    splits[split]!.push(...records);
    source.wake();
    await runtime.settle();
  };
  const said = (asked?: Asked, component = 'count') => explanationText(running.explain(component, asked));
  const holder = (): Holder => running.explain('count').holders[0]!;
  return { runtime, running, seen, give, log, failing, said, holder };
}

test('the split that holds a timer is named, with what it needs, and a record of that time lets the timer be told', async () => {
  const { running, seen, give, said } = await counted(
    { a: [['x', 100]], b: [['y', 300]] },
    { time: { outOfOrder: 50 } },
  );
  await give('a', ['z', 5000]);
  assert.deepEqual(said(), [
    "The timer 'end' of 1970-01-01T00:00:01.100Z for key x in 'count' waits for event time, which has come to 1970-01-01T00:00:00.249Z there, 851ms short of it.",
    "Split 'b' of 'readings' (task 0) holds it at 1970-01-01T00:00:00.249Z, since 1970-01-01T00:00:00.000Z, 0ms ago; its newest record is of 1970-01-01T00:00:00.300Z.",
    'It is told when it gives a record of 1970-01-01T00:00:01.151Z or later, falls idle (with no more records in 30s), or ends.',
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify(running.explain('count'))), running.explain('count'));
  await give('b', ['w', 1150]);
  assert.deepEqual(seen, []);
  await give('b', ['w', 1151]);
  assert.deepEqual(seen, ['x 1@1100']);
});

test('a split without records holds by its silence, until it falls idle when it was said to', async () => {
  const { runtime, seen, give, said, running } = await counted({ a: [['x', 100]], b: [] }, { time: { idle: '10s' } });
  await runtime.advance(4000);
  await give('a', ['y', 5000]);
  const [what, who, remedy] = said();
  assert.match(what!, /which has not begun there\.$/);
  assert.match(who!, /^Split 'b' of 'readings' \(task 0\) holds it: it has given no record yet, since .+, 4s ago\.$/);
  assert.match(
    remedy!,
    /gives a record of 1970-01-01T00:00:01\.101Z or later, falls idle \(with no more records in 6s\), or ends\.$/,
  );
  await runtime.advance(5999);
  assert.deepEqual(seen, []);
  await runtime.advance(1);
  assert.deepEqual(seen, ['x 1@1100']);
  assert.equal(running.explain('count').timer?.key, 'y');
});

test('when all sources are idle time stands, and one record of the time that is named is enough', async () => {
  const { runtime, seen, give, said, running } = await counted(
    { a: [['x', 100]], b: [['y', 90]] },
    { time: { idle: '10s' } },
  );
  await runtime.advance('1m');
  assert.equal(running.explain('count').state, 'idle');
  assert.deepEqual(said().slice(1), [
    "It stands, as all sources are idle: split 'b' of 'readings' (1970-01-01T00:00:00.089Z), split 'a' of 'readings' (1970-01-01T00:00:00.099Z).",
    "It is told when one of them gives a record of 1970-01-01T00:00:01.091Z or later, at the end of the input, or by the clock if the spout says time.whenIdle: 'clock'.",
  ]);
  await give('a', ['z', 1091]);
  assert.deepEqual(seen, ['y 1@1090']);
});

test('an idle source that follows the clock says when the clock is far enough', async () => {
  const { runtime, seen, said } = await counted({ a: [['x', 20_000]] }, { time: { idle: '1s', whenIdle: 'clock' } });
  await runtime.advance(2000);
  assert.deepEqual(said().slice(1), [
    "All splits of task 0 of 'readings' are idle, and its event time follows the clock.",
    'It is told when the clock comes to 1970-01-01T00:00:21.001Z.',
  ]);
  await runtime.advance(18_999);
  assert.deepEqual(seen, []);
  await runtime.advance(300); // the clock is asked five times a second
  assert.deepEqual(seen, ['x 1@21000']);
});

test('a key, and a time, can be asked about', async () => {
  const { running, said } = await counted({
    a: [
      ['x', 100],
      ['y', 200],
      ['x', 900],
    ],
  });
  assert.equal(running.explain('count', { key: 'y' }).timer?.time, 1200);
  assert.equal(running.explain('count', { key: 'nobody' }).state, 'none');
  assert.match(said({ key: 'nobody' })[0]!, /^Nothing waits in 'count' for key nobody: no window is open/);
  assert.equal(running.explain('count', { time: 1200 }).timer?.name, undefined);
  assert.equal(running.explain('count', { time: 1200, key: 'y' }).timer?.name, 'end');
  assert.match(said({ time: 2000 })[0]!, /^The time 1970-01-01T00:00:02\.000Z in 'count' waits for event time/);
  assert.deepEqual(said({ time: 899 }), [
    "Event time has passed 1970-01-01T00:00:00.899Z: no timer up to it is left in 'count'.",
  ]);
  assert.match(
    said({ time: 900 }, 'readings')[2]!,
    /^It is reached when it gives a record of 1970-01-01T00:00:00\.901Z or later/,
  );
});

const holdingBolts = {
  async 'asynchronous calls'() {
    const going = Promise.withResolvers<void>();
    const made = await counted(
      { a: [['x', 100]] },
      {
        between: (t, input) =>
          t.bolt(
            'slow',
            input.shuffle(),
            asyncBolt({
              concurrency: 4,
              async execute(r: Reading) {
                if (r[0] === 'slow') await going.promise;
                return r;
              },
            }),
          ),
      },
    );
    await made.give('a', ['slow', 500], ['y', 5000]);
    return {
      made,
      letGo: () => going.resolve(),
      who: "Task 0 of 'slow' holds it at 1970-01-01T00:00:00.099Z: 2 calls before it have not ended.",
    };
  },
  async 'held tuples'() {
    const held: (() => void)[] = [];
    const made = await counted(
      { a: [['x', 100]] },
      {
        between: (t, input) =>
          t.bolt(
            'holding',
            input.shuffle(),
            manualBolt({
              emits: type<Reading>(),
              prepare: ({ emit, ack }) => ({
                execute(tuple: Tuple<Reading>) {
                  emit(tuple.value, [tuple]);
                  if (tuple.value[1] < 500) ack(tuple);
                  else held.push(() => ack(tuple));
                },
                flush() {},
              }),
            }),
          ),
      },
    );
    await made.give('a', ['y', 5000]);
    const letGo = () => {
      for (const ack of held) ack();
    };
    return {
      made,
      letGo,
      who: "Task 0 of 'holding' holds it at 1970-01-01T00:00:00.099Z: 1 tuple before it is neither acked nor failed.",
    };
  },
  async 'a full queue behind a generator'() {
    const going = Promise.withResolvers<void>();
    const waiting = asyncBolt({ concurrency: 1, execute: () => going.promise });
    const made = await counted(
      { a: [['x', 100]] },
      {
        between: (t, input) => {
          const many = flatMap(function* ([device, at]: Reading) {
            for (let n = 0; n < (device === 'many' ? 9 : 1); n++) yield [device, at] as Reading;
          });
          const out = t.bolt('many', input.shuffle(), many);
          t.bolt('stuck', out.shuffle(), waiting, { queue: 4 });
          return out;
        },
      },
    );
    await made.give('a', ['many', 5000]);
    return {
      made,
      letGo: () => going.resolve(),
      who: "Split 'a' of 'readings' (task 0) holds it at 1970-01-01T00:00:00.099Z, since 1970-01-01T00:00:00.000Z, 0ms ago; its newest record is of 1970-01-01T00:00:05.000Z. It gives nothing now, as the queue of 'stuck' is full.",
    };
  },
  async 'inputs that are retried'() {
    const made = await counted({ a: [['x', 100]] });
    await made.give('a', ['bad', 500], ['y', 5000]);
    return {
      made,
      letGo() {
        made.failing.value = false;
      },
      who: "Task 0 of 'count' holds it at 1970-01-01T00:00:00.099Z: 1 input before it is being retried.",
    };
  },
};
for (const [what, hold] of Object.entries(holdingBolts))
  test(`${what}: who holds event time is named, and it goes on when they are done`, async () => {
    const { made, letGo, who } = await hold();
    const { runtime, seen, said } = made;
    assert.equal(said()[1], who);
    if (made.running.explain('count').holders[0]!.split === undefined)
      assert.deepEqual(said().slice(2), ['It is told when that is over.']);
    assert.deepEqual(seen, []);
    letGo();
    await runtime.advance('1m');
    assert.equal(seen[0], 'x 1@1100');
  });

test('a full queue downstream, and deactivated spouts, are why a split gives nothing', async () => {
  const going = Promise.withResolvers<void>();
  const stuck = asyncBolt({ concurrency: 1, execute: () => going.promise });
  const { said, give, running, runtime } = await counted(
    { a: [['x', 100]] },
    {
      between: (t, input) => {
        t.bolt('stuck', input.shuffle(), stuck, { queue: 1 });
        return input;
      },
    },
  );
  const who =
    "Split 'a' of 'readings' (task 0) holds it at 1970-01-01T00:00:00.099Z, since 1970-01-01T00:00:00.000Z, 0ms ago; its newest record is of 1970-01-01T00:00:00.100Z.";
  running.deactivate();
  assert.equal(said()[1], `${who} It gives nothing now, as the spouts are deactivated.`);
  running.activate();
  await give('a', ['y', 5000]);
  assert.match(said()[1]!, /It gives nothing now, as the queue of 'stuck' is full\.$/);
  running.deactivate();
  assert.match(said()[1]!, /It gives nothing now, as the queue of 'stuck' is full, and the spouts are deactivated\.$/);
  running.activate();
  going.resolve();
  await runtime.settle();
  assert.doesNotMatch(said({ time: 10_000 })[1]!, /It gives nothing now/);
});

test('a source that has ended holds event time as long as tuples of it are under way', async () => {
  const going = Promise.withResolvers<void>();
  const source = new ArraySource(type<Reading>(), { a: [['x', 100]] });
  const seen: string[] = [];
  const built = topology('t', (t) => {
    const raw = t.spout('readings', source.spout, { time: { from: ([, at]) => at } });
    t.bolt('slow', raw.shuffle(), asyncBolt({ concurrency: 1, execute: () => going.promise }));
    t.bolt('count', raw.global(), counting(seen, { value: false }));
  });
  const { runtime, running } = await startVirtual(built);
  await runtime.settle();
  assert.deepEqual(explanationText(running.explain('count')).slice(1), [
    "Task 0 of 'readings' holds it: its source has ended, and 1 tuple of it is under way.",
    'It is told when that is over.',
  ]);
  going.resolve();
  await runtime.until(running.done);
  assert.deepEqual(seen, [' 1@1100']);
});

test('a split that is paused because it is too far ahead, and one whose source waits for its tuples, say so', async () => {
  const ahead = await counted({ a: [['x', 100]], b: [['y', 100_000]] }, { time: { align: '10s' } });
  const holders = ahead.running.explain('count', { time: 200_000 }).holders;
  assert.deepEqual(
    holders.map(({ split }) => [split?.split, split?.farAhead, split?.idleIn]),
    [
      ['a', false, 30_000],
      ['b', true, undefined],
    ],
  );
  const stuck = asyncBolt({ concurrency: 1, execute: () => new Promise<void>(() => {}) });
  const between = (t: Builder, input: Stream<Reading>) => {
    t.bolt('stuck', input.shuffle(), stuck);
    return input;
  };
  const pending = await counted(
    {
      a: [
        ['x', 100],
        ['y', 5000],
      ],
    },
    { spout: { maxPending: 1 }, between },
  );
  assert.match(pending.said()[1]!, /It gives nothing now, as 1 tuple is pending, as many as maxPending allows\.$/);
});

test('a timer whose handler throws is due, and says that it is told again', async () => {
  const { runtime, running, seen, said, give, failing } = await counted({ a: [['worse', 100]] });
  await give('a', ['y', 5000]);
  await runtime.advance(25);
  assert.equal(running.explain('count').state, 'due');
  assert.match(said()[1]!, /^It waits, as an event timer is told again, as its handler threw 2 times\.$/);
  assert.match(said({ time: 5500 })[1]!, /^Task 0 of 'count'|^Split 'a'/);
  failing.value = false;
  await runtime.advance('1m');
  assert.equal(seen[0], 'worse 1@1100');
});

test('a window is told of by its end; by the clock it says in how long', async () => {
  const source = new ArraySource(type<Reading>(), { a: [['x', 61_000]] }, true);
  const built = topology('windows', (t) => {
    const raw = t.spout('readings', source.spout, { parallelism: 1, time: { from: ([, at]) => at } });
    const clean = t.bolt(
      'clean',
      raw.shuffle(),
      map((r: Reading) => r),
      { parallelism: 2 },
    );
    const keyed = clean.keyBy(([device]) => device);
    t.bolt('stats', keyed, windowed(tumbling('1m'), { n: count() }), { parallelism: 2 });
    t.bolt('now', keyed, windowed(tumbling('1m', { by: 'clock' }), { n: count() }));
  });
  const { runtime, running } = await startVirtual(built);
  await runtime.advance('10s');
  const explanation = running.explain('stats');
  const task = explanation.timer!.task;
  assert.deepEqual(explanationText(explanation), [
    `The window of key x that is due at 1970-01-01T00:02:00.000Z in task ${task} of 'stats' waits for event time, which has come to 1970-01-01T00:01:00.999Z there, 59s short of it.`,
    "Split 'a' of 'readings' (task 0) holds it at 1970-01-01T00:01:00.999Z, since 1970-01-01T00:00:00.000Z, 10s ago; its newest record is of 1970-01-01T00:01:01.000Z.",
    `The way: stats ${task} ← clean 0 ← readings 0.`,
    'It fires when it gives a record of 1970-01-01T00:02:00.000Z or later, falls idle (with no more records in 20s), or ends.',
  ]);
  assert.equal(running.explain('stats', { time: 120_000 }).timer?.key, 'x');
  assert.deepEqual(explanationText(running.explain('now')), [
    "The window of key x that is due at 1970-01-01T00:01:00.000Z in 'now' waits for the clock, not for event time.",
    'It is due in 50s.',
  ]);
  assert.deepEqual(running.explain('now').holders, []);
  assert.equal(running.metrics().components.find(({ component }) => component === 'now')!.timers, 2);
});

test('every component that follows event time is in the overview, with who holds it', async () => {
  const { running } = await counted(
    { a: [['x', 100]], b: [['y', 300]] },
    { between: (t, input) => t.bolt('same', input.shuffle(), (r: Reading) => r) },
  );
  assert.deepEqual(
    running.eventTime().map(({ holder, ...of }) => ({ ...of, by: holder?.split?.split })),
    [
      { component: 'readings', kind: 'spout', idle: false, watermark: 99, lag: -99, timers: 0, by: 'a' },
      { component: 'same', kind: 'bolt', idle: false, watermark: 99, lag: -99, timers: 0, by: 'a' },
      { component: 'count', kind: 'bolt', idle: false, watermark: 99, lag: -99, timers: 2, next: 1100, by: 'a' },
    ],
  );
});

test('what is kept for a key can be read, while it runs', async () => {
  const { running } = await counted(
    {
      a: [
        ['x', 100],
        ['y', 200],
        ['x', 300],
      ],
    },
    { bolt: { parallelism: 3 } },
  );
  assert.deepEqual(running.readState('count', 'x'), {
    state: { n: 2, times: [100, 300] },
    timers: [{ name: 'end', time: 1100 }],
  });
  assert.equal(running.readState('count', 'z'), undefined);
  assert.deepEqual([...running.stateKeys('count', 10)].sort(), ['x', 'y']);
  assert.equal(running.stateKeys('count', 1).length, 1);
  const { watermark, lag, timers, keys } = running.metrics().components.find(({ component }) => component === 'count')!;
  assert.deepEqual({ watermark, lag, timers, keys }, { watermark: 299, lag: -299, timers: 2, keys: 2 });
});

test('questions that have no answer are refused with what can be asked', async () => {
  const { running } = await counted(
    { a: [] },
    {
      between: (t, input) => {
        t.bolt('aside', input.shuffle(), () => {});
        return t.bolt('same', input.shuffle(), (r: Reading) => r);
      },
    },
  );
  const refused = (ask: () => unknown, code: string, message: RegExp) => assert.throws(ask, { code, message });
  refused(() => running.explain('no'), 'MR_UNKNOWN_COMPONENT', /'readings', 'aside', 'same', 'count'/);
  refused(() => running.explain('same'), 'MR_NO_TIMERS', /about one that has some: 'count'$/);
  refused(() => running.explain('aside', { time: 1 }), 'MR_NO_EVENT_TIME', /these do: 'readings', 'same', 'count'$/);
  refused(() => running.explain('count', { key: Number.NaN }), 'MR_KEY', /NaN/);
  refused(() => running.readState('same', 'x'), 'MR_NO_STATE', /these do: 'count'$/);
});
