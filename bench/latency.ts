/**
 * Latency from source to sink in one process, at-least-once, at about a tenth of the peak rate: generator → map → keyed
 * bolt → sink that writes at once. A record's time is when it was due, so a source that falls behind counts as latency.
 */
import { bolt, logSpout, sink, topology, type } from 'millrace';
import { startTopology } from '../packages/millrace/src/engine/start.ts';
import { memoryLedger } from '../packages/millrace/src/ledger/memory.ts';
import { realRuntime } from '../packages/millrace/src/runtime/real.ts';
import type { Bench, Row } from './bench.ts';

const SECONDS = 5;
const PEAK_SECONDS = 2;

interface Event {
  readonly key: string;
  readonly at: number;
}

/** Runs for `seconds` at `rate` events a second (unpaced without); gives back the events done and their latencies in ms. */
async function runAt(rate: number | undefined, seconds: number): Promise<{ done: number; latencies: Float64Array }> {
  const latencies = new Float64Array(rate === undefined ? 0 : Math.ceil(rate * seconds));
  let done = 0;
  const runtime = realRuntime();
  const started = performance.now();
  const due = () => (rate === undefined ? Number.POSITIVE_INFINITY : ((performance.now() - started) / 1000) * rate);
  const source = logSpout({
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
  const counting = bolt({
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
  const paced = topology('paced', (t) => {
    const events = t.bolt('map', t.spout('events', source).shuffle(), (e) => ({ ...e }));
    const out = t.bolt('count', events.fields('key'), counting);
    const write = ([event]: readonly Event[]) => {
      if (done < latencies.length) latencies[done] = performance.now() - event!.at;
      done++;
    };
    t.sink('out', out.shuffle(), sink({ mode: 'append', batch: { size: 1, every: 0 }, write }));
  });
  const running = await startTopology(paced.build(), {
    runtime,
    ledger: memoryLedger(),
    resources: new Map(),
    guarantee: 'at-least-once',
    freeze: false,
    encodeEdges: false,
    log: () => {},
  });
  await running.done;
  return { done, latencies: latencies.subarray(0, Math.min(done, latencies.length)).sort() };
}

async function run(): Promise<readonly Row[]> {
  const warm = await runAt(undefined, PEAK_SECONDS);
  const peak = (await runAt(undefined, PEAK_SECONDS)).done / PEAK_SECONDS;
  const { done, latencies } = await runAt(Math.round(peak / 10), SECONDS);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]!;
  return [
    { what: 'peak rate', value: Math.max(peak, warm.done / PEAK_SECONDS) / 1000, unit: 'k events/s' },
    { what: 'rate of this run', value: done / SECONDS / 1000, unit: 'k events/s' },
    { what: 'p50', value: at(0.5), unit: 'ms' },
    { what: 'p99', value: at(0.99), unit: 'ms', note: 'budget < 2 ms' },
    { what: 'p99.9', value: at(0.999), unit: 'ms', note: 'budget < 10 ms' },
    { what: 'max', value: at(1), unit: 'ms' },
  ];
}

export const latencyBench: Bench = {
  name: 'latency',
  summary:
    'source to sink in process, at-least-once, at a tenth of the peak rate (design budget: p99 < 2 ms, p99.9 < 10 ms)',
  run,
};
