/**
 * Windows and features, generator to nowhere, through the engine, at-most-once, one worker: events per second. A bare
 * loop that adds the same events up in a Map by key and minute is measured in the same run, and so are sliding windows of
 * three sizes with one slide: what one value costs must not depend on how many windows it is in.
 */
import {
  count,
  features,
  logSpout,
  mean,
  over,
  rate,
  session,
  sinceLast,
  sliding,
  topology,
  tumbling,
  type,
  windowed,
} from 'millrace';
import { startTopology } from '../packages/millrace/src/engine/start.ts';
import type { Bolt, Stream } from '../packages/millrace/src/index.ts';
import { memoryLedger } from '../packages/millrace/src/ledger/memory.ts';
import { realRuntime } from '../packages/millrace/src/runtime/real.ts';
import type { Bench, Row } from './bench.ts';
import { median } from './bench.ts';

const EVENTS = 400_000;
const KEYS = 1000;
const ROUNDS = 3;

interface Event {
  readonly key: string;
  readonly value: number;
}
/** Each key has an event a second, of event time. */
const eventsOf = (keys: number): readonly Event[] =>
  Array.from({ length: keys }, (_, n) => ({ key: `key-${n}`, value: (n * 37) % 100 }));
const events = eventsOf(KEYS);
const steady = (n: number): number => n;
/** After ten events of each key, twenty seconds without any. */
const inBursts = (n: number): number => n + 20_000 * Math.floor(n / (10 * KEYS));

function bareLoop(): number {
  const sums = new Map<string, { minute: number; n: number; sum: number }>();
  let results = 0;
  const started = performance.now();
  for (let n = 0; n < EVENTS; n++) {
    const { key, value } = events[n % KEYS]!;
    const minute = Math.floor(steady(n) / 60_000);
    const kept = sums.get(key);
    if (kept !== undefined && kept.minute === minute) {
      kept.n++;
      kept.sum += value;
    } else {
      if (kept !== undefined) results += kept.sum / kept.n > 0 ? 1 : 0;
      sums.set(key, { minute, n: 1, sum: value });
    }
  }
  if (results === 0) throw new Error('the bare loop gave nothing');
  return performance.now() - started;
}

interface Fed {
  readonly timeOf?: (n: number) => number;
  readonly from?: readonly Event[];
  readonly many?: number;
}
type Under = Bolt<(value: Event, time: number, key: string) => void, Stream<unknown>>;

/** Milliseconds for all events, and how many results came out. */
async function through(
  under: Under,
  { timeOf = steady, from = events, many = EVENTS }: Fed = {},
): Promise<{ readonly ms: number; readonly results: number }> {
  let results = 0;
  let ended = () => {};
  const generator = logSpout({
    emits: type<Event>(),
    splits: () => ['events'],
    open: (task) => {
      let at = 0;
      return {
        seek() {},
        pause() {},
        resume() {},
        async commit() {},
        next(max) {
          const until = Math.min(many, at + max);
          for (; at < until; at++) task.emit('events', at, at + 1, from[at % from.length]!, timeOf(at));
          // The input does not end: what is left in the windows at its end is not what is measured.
          if (at === many) ended();
          return at < many;
        },
      };
    },
  });
  const t = topology('windows', (b) => {
    const input = b.spout('events', generator, { time: { idle: '1h' } });
    const out = b.bolt('under', input.fields('key'), under as never) as unknown as Stream<unknown>;
    b.bolt('nowhere', out.shuffle(), () => void results++);
  });
  const started = performance.now();
  const running = await startTopology(t.build(), {
    runtime: realRuntime(),
    ledger: memoryLedger(),
    resources: new Map(),
    guarantee: 'at-most-once',
    freeze: false,
    encodeEdges: false,
    log: () => {},
  });
  await new Promise<void>((resolve) => {
    ended = resolve;
  });
  await running.stop();
  const ms = performance.now() - started;
  if (results === 0) throw new Error('nothing came out');
  return { ms, results };
}

const aggregates = { n: count(), mean: mean((e: Event) => e.value) };
const CASES: readonly (readonly [string, () => Under])[] = [
  ['tumbling 1 min', () => windowed(tumbling('1m'), aggregates) as never],
  ['sliding 10 s by 1 s', () => windowed(sliding('10s', '1s'), aggregates) as never],
  ['sliding 1 min by 1 s', () => windowed(sliding('1m', '1s'), aggregates) as never],
  ['sliding 1 h by 1 s', () => windowed(sliding('1h', '1s'), aggregates) as never],
  ['session 10 s', () => windowed(session('10s'), aggregates) as never],
  [
    'features (1 h by 1 min, 5 min, since last)',
    () =>
      features({
        mean_1h: over(
          sliding('1h', '1m'),
          mean((e: Event) => e.value),
        ),
        rate_5m: over(tumbling('5m'), rate('1m')),
        since: sinceLast(),
      }) as never,
  ],
];

async function run(): Promise<readonly Row[]> {
  const times: { [name: string]: number[] } = {};
  const results: { [name: string]: number } = {};
  const note = (name: string, ms: number) => {
    times[name] = [...(times[name] ?? []), ms];
  };
  for (let round = 0; round <= ROUNDS; round++) {
    const bare = bareLoop();
    if (round > 0) note('bare', bare);
    for (const [name, make] of CASES) {
      const measured = await through(make(), name.startsWith('session') ? { timeOf: inBursts } : {});
      results[name] = measured.results;
      if (round > 0) note(name, measured.ms);
    }
  }
  // Each of a million keys has two events in the hour, and then all windows close.
  const million = eventsOf(1_000_000);
  const manyKeys: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const timeOf = (n: number) => (n < 2e6 ? n : 3_600_000);
    const { ms } = await through(windowed(tumbling('1h'), aggregates) as never, {
      timeOf,
      from: million,
      many: 2e6 + 1,
    });
    manyKeys.push(2000 / ms);
  }
  const millions = (name: string) => EVENTS / 1000 / median(times[name]!);
  const ratio = (name: string, to: string) => median(times[name]!.map((ms, round) => ms / times[to]![round]!));
  return [
    { what: 'bare loop, tumbling 1 min', value: millions('bare'), unit: 'M events/s' },
    ...CASES.map(([name]) => ({
      what: name,
      value: millions(name),
      unit: 'M events/s',
      note: `${results[name]! >= EVENTS / 10 ? `${(results[name]! / EVENTS).toPrecision(2)} results an event` : `${results[name]} results`}`,
    })),
    {
      what: 'tumbling 1 h, a million keys',
      value: median(manyKeys),
      unit: 'M events/s',
      note: 'half a result an event',
    },
    {
      what: 'time, sliding 1 h by 1 s ÷ 10 s by 1 s',
      value: ratio('sliding 1 h by 1 s', 'sliding 10 s by 1 s'),
      unit: 'ratio',
      note: 'size ÷ slide is 360 times as large',
    },
    { what: 'tumbling ÷ bare loop', value: 1 / ratio('tumbling 1 min', 'bare'), unit: 'ratio' },
  ];
}

export const windowsBench: Bench = {
  name: 'windows',
  summary: 'events per second through tumbling, sliding, session windows and features, against a bare loop',
  run,
};
