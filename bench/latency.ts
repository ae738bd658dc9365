/**
 * Latency from source to sink in one process, at about a tenth of the peak rate: generator → map → keyed bolt → sink. A
 * record's time is when it was due, so a source that falls behind counts as latency. At-least-once the sink writes at once;
 * exactly-once the records go into a topic of the embedded log, through the outbox, until a reader of the topic has them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '@millrace/broker';
import { bolt, logSpout, type Sink, sink, topology, type, value } from 'millrace';
import { json, topic, topicSink } from 'millrace/topic';
import { embeddedTopicLog } from '../packages/millrace/src/topic/embedded.ts';
import { topicLog } from '../packages/millrace/src/topic/topic-log.ts';
import type { Takes } from '../packages/millrace/src/topology/sink.ts';
import type { Bench, Row } from './bench.ts';
import { type Checkpointed, startCheckpointed } from './checkpointed.ts';

const SECONDS = 5;
const PEAK_SECONDS = 2;
/** Between checkpoints, milliseconds. */
const INTERVALS = [10, 50, 100] as const;
const BUDGET = 50;

interface Event {
  readonly key: string;
  readonly at: number;
}

/** Where events come out. */
interface End {
  readonly sink: Sink<Takes<Event>>;
  readonly counting: ReturnType<typeof countingInMap> | ReturnType<typeof countingInState>;
  readonly run: Checkpointed;
  /** Nothing more comes. */
  close(): Promise<void>;
}
type Ending = (came: (event: Event) => void) => Promise<End>;

function countingInMap() {
  return bolt({
    emits: type<Event>(),
    prepare: ({ emit }) => {
      const counts = new Map<string, number>();
      return {
        execute(event: Event) {
          counts.set(event.key, (counts.get(event.key) ?? 0) + 1);
          emit(event);
        },
      };
    },
  });
}

function countingInState() {
  return bolt({
    emits: type<Event>(),
    state: { count: value(0) },
    prepare: ({ emit, state: { count } }) => ({
      execute(event: Event) {
        count.set(count.get() + 1);
        emit(event);
      },
    }),
  });
}

const atOnce: Ending = async (came) => {
  const write = ([event]: readonly Event[]) => came(event!);
  return {
    sink: sink({ mode: 'append', batch: { size: 1, every: 0 }, write }),
    counting: countingInMap(),
    run: { guarantee: 'at-least-once' },
    close: async () => {},
  };
};

const throughOutbox =
  (interval: number): Ending =>
  async (came) => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
    const log = await openLog({ directory: join(folder, 'log') });
    const topics = embeddedTopicLog(log);
    const out = topic('out', { value: json(type<Event>()) });
    await topics.ensureTopic({ name: out.name });
    const take = () => {
      for (let taken = reader.take(); !taken.outOfRange && taken.records.length > 0; taken = reader.take())
        for (const record of taken.records) came(out.value.decode(record.value!));
    };
    const reader = topics.read(out.name, 0, 0, take);
    take();
    return {
      sink: topicSink(out),
      counting: countingInState(),
      run: { guarantee: 'exactly-once', interval, folder, resources: new Map([[topicLog.name, topics]]) },
      async close() {
        take();
        reader.close();
        await topics.close();
        await log.close();
        rmSync(folder, { recursive: true });
      },
    };
  };

/** Gives `rate` events a second, as many as go through without, for so many seconds. */
function paced(rate: number | undefined, seconds: number, started: number) {
  const due = () => (rate === undefined ? Number.POSITIVE_INFINITY : ((performance.now() - started) / 1000) * rate);
  return logSpout({
    emits: type<Event>(),
    splits: () => ['events'],
    open: (task) => {
      let n = 0;
      const timer = rate === undefined ? undefined : setInterval(() => task.wake(), 1);
      return {
        seek() {},
        pause() {},
        resume() {},
        async commit() {},
        close: () => clearInterval(timer),
        next(max) {
          if (performance.now() - started > seconds * 1000) {
            task.endSplit('events');
            return false;
          }
          const until = Math.min(n + max, Math.floor(due()));
          for (; n < until; n++) {
            const at = rate === undefined ? 0 : started + (n / rate) * 1000;
            task.emit('events', n, n + 1, { key: `key-${n % 1000}`, at }, 0);
          }
          return n < Math.floor(due());
        },
      };
    },
  });
}

/** The events done and, at a rate, their latencies in ms. */
async function runAt(rate: number | undefined, seconds: number, ending: Ending) {
  const latencies = new Float64Array(rate === undefined ? 0 : Math.ceil(rate * seconds));
  let done = 0;
  const end = await ending((event) => {
    if (done < latencies.length) latencies[done] = performance.now() - event.at;
    done++;
  });
  const started = performance.now();
  const through = topology('paced', (t) => {
    const events = t.bolt('map', t.spout('events', paced(rate, seconds, started)).shuffle(), (e) => ({ ...e }));
    t.sink('out', t.bolt('count', events.fields('key'), end.counting).shuffle(), end.sink);
  });
  const running = await startCheckpointed(through, end.run);
  await running.done;
  const took = (performance.now() - started) / 1000;
  await end.close();
  return { rate: done / took, latencies: latencies.subarray(0, Math.min(done, latencies.length)).sort() };
}

async function rowsOf(
  what: string,
  ending: Ending,
  budgets: { readonly p99: number; readonly p999?: number },
): Promise<Row[]> {
  const warm = await runAt(undefined, PEAK_SECONDS, ending);
  const peak = Math.max(warm.rate, (await runAt(undefined, PEAK_SECONDS, ending)).rate);
  const { rate, latencies } = await runAt(Math.round(peak / 10), SECONDS, ending);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]!;
  const note = (budget: number | undefined) => (budget === undefined ? {} : { note: `budget < ${budget} ms` });
  return [
    { what: `${what}: peak rate`, value: peak / 1000, unit: 'k events/s' },
    { what: `${what}: rate of the run`, value: rate / 1000, unit: 'k events/s' },
    { what: `${what}: p50`, value: at(0.5), unit: 'ms' },
    { what: `${what}: p99`, value: at(0.99), unit: 'ms', ...note(budgets.p99) },
    { what: `${what}: p99.9`, value: at(0.999), unit: 'ms', ...note(budgets.p999) },
    { what: `${what}: max`, value: at(1), unit: 'ms' },
  ];
}

async function run(): Promise<readonly Row[]> {
  const rows = await rowsOf('at-least-once, sink at once', atOnce, { p99: 2, p999: 10 });
  for (const interval of INTERVALS) {
    const what = `exactly-once every ${interval} ms, into a topic`;
    rows.push(...(await rowsOf(what, throughOutbox(interval), { p99: interval + BUDGET })));
  }
  return rows;
}

export const latencyBench: Bench = {
  name: 'latency',
  summary: 'source to sink in process at a tenth of the peak rate: at-least-once, and exactly-once through the outbox',
  run,
};
