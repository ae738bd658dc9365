import assert from 'node:assert/strict';
import { test } from 'node:test';
import { health, prometheusText } from './prometheus.ts';
import type { CheckpointStatus, ComponentMetrics, LatencySnapshot, TopologyMetrics } from './running.ts';

const none: LatencySnapshot = { count: 0, sum: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
const some: LatencySnapshot = { count: 4, sum: 20, min: 1, p50: 4, p90: 8, p99: 9, p999: 9.5, max: 10 };
const component = (of: Partial<ComponentMetrics>): ComponentMetrics => ({
  component: 'c',
  kind: 'bolt',
  tasks: 2,
  streams: [],
  executed: 0,
  acked: 0,
  failed: 0,
  errors: 0,
  ledgered: 0,
  execute: none,
  process: none,
  complete: none,
  result: none,
  capacity: 0,
  queued: 0,
  pending: 0,
  ...of,
});
const metrics: TopologyMetrics = {
  topology: 'demo',
  state: 'active',
  uptime: 1500,
  components: [
    component({ component: 'in', kind: 'spout', acked: 3, pending: 7, complete: some }),
    component({
      component: 'split',
      streams: [{ stream: 'words "a\\b"\n', emitted: 10, transferred: 20 }],
      executed: 5,
      capacity: 0.25,
      watermark: 1_700_000_000_250,
      lag: 1500,
      timers: 4,
      keys: 3,
    }),
    component({ component: 'last', watermark: 'not begun' }),
  ],
};
const status: CheckpointStatus = {
  interval: 100,
  incarnation: 3,
  restored: undefined,
  last: { epoch: { incarnation: 3, number: 17 }, at: 1_700_000_000_250, took: 4, bytes: 10, keys: 1 },
  current: undefined,
  completed: 17,
  failed: 2,
  took: some,
  unpublished: { epochs: 1, bytes: 2048 },
};

test('every sample belongs to a family with HELP and TYPE, and names and labels are legal', () => {
  const types = new Map<string, string>();
  for (const line of prometheusText(metrics, { status, now: 0 }).trimEnd().split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (millrace_[a-z_]+) (.+)$/.exec(line) ?? [];
    if (kind === 'TYPE') types.set(name!, rest!);
    if (kind) continue;
    const sample = /^(millrace_[a-z_]+)\{([a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\} (NaN|[0-9.e+-]+)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    const family = sample[1]!.replace(/(?<=seconds)_(sum|count)$/, '');
    assert.ok(types.has(family), `no TYPE before ${line}`);
    assert.equal(family.endsWith('_total'), types.get(family) === 'counter', line);
  }
  assert.equal(types.get('millrace_execute_latency_seconds'), 'summary');
});

test('latencies are in seconds, an empty one has no quantile, and strange names are escaped', () => {
  const lines = new Set(prometheusText(metrics).split('\n'));
  for (const line of [
    'millrace_topology_state{topology="demo",state="active"} 1',
    'millrace_topology_state{topology="demo",state="failed"} 0',
    'millrace_uptime_seconds{topology="demo"} 1.5',
    'millrace_emitted_total{topology="demo",component="split",stream="words \\"a\\\\b\\"\\n"} 10',
    'millrace_acked_total{topology="demo",component="in"} 3',
    'millrace_executed_total{topology="demo",component="split"} 5',
    'millrace_capacity_ratio{topology="demo",component="split"} 0.25',
    'millrace_pending{topology="demo",component="in"} 7',
    'millrace_complete_latency_seconds{topology="demo",component="in",quantile="0.99"} 0.009',
    'millrace_complete_latency_seconds_sum{topology="demo",component="in"} 0.02',
    'millrace_complete_latency_seconds_count{topology="demo",component="in"} 4',
    'millrace_execute_latency_seconds{topology="demo",component="split",quantile="0.5"} NaN',
    'millrace_watermark_timestamp_seconds{topology="demo",component="split"} 1700000000.25',
    'millrace_watermark_lag_seconds{topology="demo",component="split"} 1.5',
    'millrace_timers{topology="demo",component="split"} 4',
    'millrace_state_keys{topology="demo",component="split"} 3',
  ])
    assert.ok(lines.has(line), `missing: ${line}`);
});

test('a component has no series that mean nothing for its kind', () => {
  const text = prometheusText(metrics);
  assert.doesNotMatch(text, /millrace_executed_total\{topology="demo",component="in"/);
  assert.doesNotMatch(text, /millrace_pending\{topology="demo",component="split"/);
  assert.doesNotMatch(text, /millrace_(watermark_\w+|timers|state_keys)\{topology="demo",component="(in|last)"/);
});

test('checkpoints are counted and timed where they are made, and a last one is told of once there is one', () => {
  const lines = new Set(prometheusText(metrics, { status, now: 1_700_000_001_000 }).split('\n'));
  for (const line of [
    'millrace_checkpoints_completed_total{topology="demo"} 17',
    'millrace_checkpoints_failed_total{topology="demo"} 2',
    'millrace_checkpoint_last_timestamp_seconds{topology="demo"} 1700000000.25',
    'millrace_checkpoint_age_seconds{topology="demo"} 0.75',
    'millrace_checkpoint_duration_seconds{topology="demo",quantile="0.99"} 0.009',
    'millrace_checkpoint_duration_seconds_count{topology="demo"} 4',
    'millrace_unpublished_epochs{topology="demo"} 1',
    'millrace_unpublished_bytes{topology="demo"} 2048',
  ])
    assert.ok(lines.has(line), `missing: ${line}`);
  const first = prometheusText(metrics, { status: { ...status, last: undefined }, now: 0 });
  assert.doesNotMatch(first, /^millrace_checkpoint_(age|last)/m);
  assert.doesNotMatch(prometheusText(metrics), /checkpoint|unpublished/);
});

test('health is bad only when the topology failed or was stopped', () => {
  const status = (state: TopologyMetrics['state']) => health({ name: 'demo', state }).status;
  assert.deepEqual((['active', 'inactive', 'draining', 'completed'] as const).map(status), [200, 200, 200, 200]);
  assert.deepEqual((['stopped', 'killed', 'failed'] as const).map(status), [503, 503, 503]);
});
