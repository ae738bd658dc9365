/** `explain` and `state` beside a running process: what they say is true, and what they say to do helps. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ComponentMetrics } from '../../engine/running.ts';
import { MAIN, millrace, NODE, project, start } from '../command.fixture.ts';
import { inspectMethods } from '../methods/inspect-methods.ts';
import { statusLines } from './control-command.ts';
import { overviewLines, parseTime } from './explain-command.ts';
import { jsonable } from './state-command.ts';

const MONITOR = `
import { bolt, count, map, mapOf, topology, tumbling, type, windowed } from 'millrace';
import { stdoutSink } from 'millrace/file';
import { json, topic, topicSpout } from 'millrace/topic';
type Reading = { device: string; at: number };
const readings = topic('readings', { value: json(type<Reading>()), partitions: 2 });
const places = bolt({
  state: { seen: mapOf(type<bigint>()) },
  timers: { forget: 'clock' },
  prepare: ({ state, timers }) => ({
    execute(r: Reading) {
      state.seen.set(r.device, BigInt(r.at));
      timers.forget.set(Date.UTC(2200, 0, 1));
    },
    timer: { forget() {} },
  }),
});
export default topology('monitor', (t) => {
  const raw = t.spout('raw', topicSpout(readings, { group: 'g' }), { time: { from: (r) => r.at, outOfOrder: '5s', idle: '1h' } });
  const stats = t.bolt('stats', raw.fields('device'), windowed(tumbling('1m'), { n: count() }));
  t.bolt('places', raw.keyBy((r) => [r.device.length, r.device] as const), places);
  t.sink('out', stats.shuffle(), stdoutSink({ format: (w) => w.key + ' ' + w.n }));
});
`;
const at = (clock: string) => Date.parse(`2026-01-31T${clock}Z`);
const reading = (device: string, clock: string) => `${JSON.stringify({ device, at: at(clock) })}\n`;

describe('beside a running topology', () => {
  test('explain names the partition that holds a window, and a record there lets it fire; state shows what is kept', async (t) => {
    const folder = project('monitor', { 'm.ts': MONITOR });
    const run = start(t, folder, [...NODE, MAIN, 'run', 'm.ts', '--no-kafka']);
    await run.shown(/guarantee/);
    const records = reading('7', '12:00:10') + reading('7', '12:00:20') + reading('b', '12:03:00');
    let made = await millrace(folder, ['produce', 'readings', '--partition', '0'], records);
    assert.equal(made.code, 0, made.stderr);
    let explained = await millrace(folder, ['explain', 'stats']);
    while (!explained.stdout.includes('12:01:00')) explained = await millrace(folder, ['explain', 'stats']);
    const lines = explained.stdout.trimEnd().split('\n');
    assert.equal(
      lines[0],
      'The window of key "7" that is due at 2026-01-31T12:01:00.000Z in \'stats\' waits for event time, which has not begun there.',
    );
    assert.match(lines[1]!, /^Split 'readings-1' of 'raw' \(task 0\) holds it: it has given no record yet, since /);
    assert.match(
      lines[2]!,
      /^It fires when it gives a record of 2026-01-31T12:01:05\.000Z or later, falls idle \(with no more records in \d+m.*\), or ends\.$/,
    );

    const [overview, key, time, status, keys, state, text, missing] = await Promise.all([
      millrace(folder, ['explain']),
      millrace(folder, ['explain', 'stats', '--key', '7', '--json']),
      millrace(folder, ['explain', 'places', '--time', '2026-01-31T12:00:00Z']),
      millrace(folder, ['status']),
      millrace(folder, ['state', 'places', '--keys', '--limit', '1']),
      millrace(folder, ['state', 'places', '[1,"7"]', '--json']),
      millrace(folder, ['state', 'places', '[1,"7"]']),
      millrace(folder, ['state', 'stats', '8']),
    ]);
    assert.match(
      overview.stdout,
      /^stats +not begun +– +2 +2026-01-31T12:00:59\.999Z +split 'readings-1' of 'raw', without records$/m,
    );
    assert.deepEqual([JSON.parse(key.stdout).timer.window, JSON.parse(key.stdout).timer.key], [at('12:01:00'), '"7"']);
    assert.match(time.stdout, /^The time 2026-01-31T12:00:00\.000Z in 'places' waits for event time/);
    assert.match(status.stdout, /^COMPONENT.+TIMERS +KEYS$/m);
    assert.deepEqual([keys.stdout, keys.stderr], ['[1,"7"]\n', '1 of 2 keys shown (--limit)\n']);
    assert.deepEqual(JSON.parse(state.stdout), {
      component: 'places',
      key: '[1,"7"]',
      state: { seen: { 7: String(at('12:00:20')) } },
      timers: [{ name: 'forget', time: Date.UTC(2200, 0, 1) }],
    });
    assert.equal(
      text.stdout,
      `seen    Map(1) { '7' => ${at('12:00:20')}n }\nforget  timer of 2200-01-01T00:00:00.000Z\n`,
    );
    assert.deepEqual([missing.code, missing.stdout], [0, "'stats' keeps nothing for key 8\n"]);

    const windows = await millrace(folder, ['state', 'stats', '7']);
    assert.match(windows.stdout, /^due +timer of 2026-01-31T12:00:59\.999Z$/m);

    made = await millrace(folder, ['produce', 'readings', '--partition', '1'], reading('7', '12:01:05'));
    assert.equal(made.code, 0, made.stderr);
    await run.shown(/^7 2$/m);
    assert.match((await millrace(folder, ['status'])).stdout, /^COMPONENT.+BEHIND +TIMERS +KEYS$/m);
  });
});

describe('what cannot be answered', () => {
  test('is refused with what to do: no topology, a component without timers or state, arguments', async (t) => {
    const folder = project('refusals', { 'm.ts': MONITOR });
    const [none, half, when] = await Promise.all([
      millrace(folder, ['explain', 'stats']),
      millrace(folder, ['state', 'stats']),
      millrace(folder, ['explain', 'stats', '--time', 'noon']),
    ]);
    assert.deepEqual([none.code, half.code, when.code], [1, 2, 2]);
    assert.match(none.stderr, /no topology runs.+\[MR_NOT_RUNNING\]/);
    assert.match(half.stderr, /name a key, or --keys/);
    assert.match(when.stderr, /--time noon is not understood: write a time like 2026-01-31T12:00:00Z/);
    const run = start(t, folder, [...NODE, MAIN, 'run', 'm.ts', '--no-kafka']);
    await run.shown(/guarantee/);
    let timers = await millrace(folder, ['explain', 'raw']);
    while (timers.stderr.includes('MR_NOT_RUNNING')) timers = await millrace(folder, ['explain', 'raw']);
    const state = await millrace(folder, ['state', 'out', 'x']);
    assert.deepEqual([timers.code, state.code], [1, 1]);
    assert.match(
      timers.stderr,
      /'raw' has no windows and no timers.+about one that has some: 'stats', 'places' \[MR_NO_TIMERS\]/,
    );
    assert.match(state.stderr, /'out' keeps no state or timers per key; these do: 'stats', 'places' \[MR_NO_STATE\]/);
  });
});

test('the overview fits a narrow terminal, and tells who holds event time or that all are idle', () => {
  const common = { kind: 'bolt', idle: false, timers: 0 } as const;
  const place = { component: 'in', task: 1, watermark: 1000, path: [] } as const;
  const lines = overviewLines(
    [
      {
        ...common,
        component: 'a',
        watermark: 1000,
        lag: 61_000,
        holder: { ...place, waits: [{ kind: 'calls', inputs: 2 }] },
      },
      { ...common, component: 'b', watermark: 'the end', idle: true },
    ],
    200,
  );
  assert.match(lines[1]!, /a +1970-01-01T00:00:01\.000Z +1m1s +0 +– +'in' task 1: 2 calls before it have not ended$/);
  assert.match(lines[2]!, /b +the end of the input +– +0 +– +all sources are idle$/);
});

test('the status has columns for event time and state only where there are some', () => {
  const none = { count: 0, sum: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const counts = { tasks: 1, streams: [], executed: 1, acked: 1, failed: 0, errors: 0, ledgered: 0, capacity: 0 };
  const latencies = { execute: none, process: none, complete: none, result: none };
  const component = { component: 'c', kind: 'bolt', ...counts, ...latencies, queued: 0, pending: 0 } as const;
  const head = (...components: readonly ComponentMetrics[]) => {
    const metrics = { topology: 't', state: 'active', uptime: 1, components } as const;
    const receipt = { topology: 't', asked: undefined, keeps: 'acking', paths: [] } as const;
    return statusLines({ pid: 1, data: '/d', receipt, metrics }, 0)[2];
  };
  assert.match(head(component)!, /WAITING$/);
  assert.match(head(component, { ...component, keys: 3 })!, /WAITING +KEYS$/);
  assert.match(head(component, { ...component, watermark: 0, lag: 5, timers: 1, keys: 3 })!, /BEHIND +TIMERS +KEYS$/);
});

test('what another process asks is checked', () => {
  const explain = () => inspectMethods({} as never, () => 0).explain({ component: 'c', time: 'noon' }, {} as never);
  assert.throws(explain, { code: 'MR_CONTROL', message: /'time' must be a number of milliseconds/ });
});

test('times are dates or milliseconds', () => {
  assert.equal(parseTime('2026-01-31T12:00:00Z'), at('12:00:00'));
  assert.equal(parseTime('1000'), 1000);
  for (const text of ['noon', '2026-13-01', '', '-1']) assert.throws(() => parseTime(text), { code: 'MR_USAGE' }, text);
});

test('state has a shape in JSON, whatever it is', () => {
  const value = new Map<unknown, unknown>([
    ['a', new Set([1n])],
    [2, new Map([[[1], new Date(0)]])],
    ['bytes', new Uint8Array([1, 2])],
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify(jsonable(value))), {
    a: ['1'],
    2: [[[1], '1970-01-01T00:00:00.000Z']],
    bytes: { base64: 'AQI=' },
  });
});
