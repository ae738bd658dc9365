/**
 * A topology's metrics in Prometheus' text exposition format 0.0.4: base units (seconds, not milliseconds), counters
 * that end in `_total`, latencies as summaries whose quantiles are computed here from every value. A family that a kind
 * of component does not have (a spout executes nothing) has no series for it, rather than a zero that means nothing.
 */
import type { CheckpointStatus, ComponentMetrics, LatencySnapshot, TopologyMetrics, TopologyState } from './running.ts';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Kind = ComponentMetrics['kind'];
type Labels = Readonly<Record<string, string>>;

const STATES: readonly TopologyState[] = ['active', 'inactive', 'draining', 'completed', 'stopped', 'killed', 'failed'];
const QUANTILES = [
  ['0.5', 'p50'],
  ['0.9', 'p90'],
  ['0.99', 'p99'],
  ['0.999', 'p999'],
] as const;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kinds: readonly Kind[];
}
const EVERY: readonly Kind[] = ['spout', 'bolt', 'sink'];
const COUNTERS: readonly (Family & { readonly of: (c: ComponentMetrics) => number })[] = [
  { name: 'executed', help: 'Inputs executed, values written.', kinds: ['bolt', 'sink'], of: (c) => c.executed },
  { name: 'acked', help: 'Inputs done; of a spout: tuple trees done.', kinds: EVERY, of: (c) => c.acked },
  { name: 'failed', help: 'Inputs failed; of a spout: tuple trees failed.', kinds: EVERY, of: (c) => c.failed },
  { name: 'errors', help: 'Exceptions thrown by user code, each retry counted.', kinds: EVERY, of: (c) => c.errors },
  { name: 'ledgered', help: 'Records that went to the ledger.', kinds: EVERY, of: (c) => c.ledgered },
];
const GAUGES: readonly (Family & { readonly of: (c: ComponentMetrics) => number })[] = [
  { name: 'tasks', help: 'Tasks of the component.', kinds: EVERY, of: (c) => c.tasks },
  { name: 'capacity_ratio', help: 'Share of ten seconds in user code.', kinds: EVERY, of: (c) => c.capacity },
  { name: 'queued', help: 'Inputs waiting in front of the tasks.', kinds: ['bolt', 'sink'], of: (c) => c.queued },
  { name: 'pending', help: 'Tuples neither acked nor failed yet.', kinds: ['spout'], of: (c) => c.pending },
];
/** Event time and what is kept. A component that has no such thing has no series, nor does a watermark that is no time. */
const OPTIONAL_GAUGES: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (c: ComponentMetrics) => number | undefined;
}[] = [
  {
    name: 'watermark_timestamp_seconds',
    help: 'Event time of the task that is furthest behind.',
    of: ({ watermark }) => (typeof watermark === 'number' ? watermark / 1000 : undefined),
  },
  {
    name: 'watermark_lag_seconds',
    help: 'How far the clock is ahead of event time.',
    of: ({ lag }) => (lag === undefined ? undefined : lag / 1000),
  },
  { name: 'timers', help: 'Timers that are set, windows included.', of: ({ timers }) => timers },
  { name: 'state_keys', help: 'Keys with state or timers.', of: ({ keys }) => keys },
];
const SUMMARIES: readonly (Family & { readonly of: (c: ComponentMetrics) => LatencySnapshot })[] = [
  { name: 'execute', help: 'Time in user code per input.', kinds: ['bolt', 'sink'], of: (c) => c.execute },
  { name: 'process', help: 'From arrival to ack of an input.', kinds: ['bolt', 'sink'], of: (c) => c.process },
  { name: 'complete', help: 'From emit to the end of the tuple tree.', kinds: ['spout'], of: (c) => c.complete },
  { name: 'result', help: 'From the time of the event to its write.', kinds: ['sink'], of: (c) => c.result },
];

/** Checkpoints have series where they are made; what is of the last one, once there is one. */
const CHECKPOINTS: readonly {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly of: (status: CheckpointStatus, now: number) => number | undefined;
}[] = [
  {
    name: 'checkpoints_completed_total',
    type: 'counter',
    help: 'Checkpoints that became durable.',
    of: ({ completed }) => completed,
  },
  {
    name: 'checkpoints_failed_total',
    type: 'counter',
    help: 'Checkpoints given up: too slow, or the disk refused.',
    of: ({ failed }) => failed,
  },
  {
    name: 'checkpoint_last_timestamp_seconds',
    type: 'gauge',
    help: 'When the last checkpoint became durable.',
    of: ({ last }) => last && last.at / 1000,
  },
  {
    name: 'checkpoint_age_seconds',
    type: 'gauge',
    help: 'Time since the last checkpoint became durable.',
    of: ({ last }, now) => last && (now - last.at) / 1000,
  },
  {
    name: 'unpublished_epochs',
    type: 'gauge',
    help: 'Epochs whose outputs wait to be published.',
    of: ({ unpublished }) => unpublished.epochs,
  },
  {
    name: 'unpublished_bytes',
    type: 'gauge',
    help: 'Bytes of outputs that wait to be published.',
    of: ({ unpublished }) => unpublished.bytes,
  },
];

export interface CheckpointReport {
  readonly status: CheckpointStatus;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export function prometheusText(metrics: TopologyMetrics, checkpoints?: CheckpointReport): string {
  const { topology, components } = metrics;
  const lines: string[] = [];
  const family = (name: string, type: 'counter' | 'gauge' | 'summary', help: string): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  };
  const sample = (name: string, labels: Labels, value: number): void => {
    lines.push(`${name}{${labelText({ topology, ...labels })}} ${numberText(value)}`);
  };
  const summary = (name: string, labels: Labels, latency: LatencySnapshot): void => {
    for (const [quantile, key] of QUANTILES)
      sample(name, { ...labels, quantile }, latency.count === 0 ? Number.NaN : latency[key] / 1000);
    sample(`${name}_sum`, labels, latency.sum / 1000);
    sample(`${name}_count`, labels, latency.count);
  };
  const perComponent = (type: 'counter' | 'gauge', families: typeof COUNTERS): void => {
    for (const { name, help, kinds, of } of families) {
      const full = `millrace_${name}${type === 'counter' ? '_total' : ''}`;
      family(full, type, help);
      for (const c of components) if (kinds.includes(c.kind)) sample(full, { component: c.component }, of(c));
    }
  };

  family('millrace_topology_state', 'gauge', 'One for the state that the topology is in, zero for the others.');
  for (const state of STATES) sample('millrace_topology_state', { state }, state === metrics.state ? 1 : 0);
  family('millrace_uptime_seconds', 'gauge', 'Time since the topology started.');
  sample('millrace_uptime_seconds', {}, metrics.uptime / 1000);
  for (const [what, help] of [
    ['emitted', 'Values emitted on a stream.'],
    ['transferred', 'Tuples delivered to the tasks that subscribe to a stream.'],
  ] as const) {
    family(`millrace_${what}_total`, 'counter', help);
    for (const { component, streams } of components)
      for (const s of streams) sample(`millrace_${what}_total`, { component, stream: s.stream }, s[what]);
  }
  perComponent('counter', COUNTERS);
  perComponent('gauge', GAUGES);
  for (const { name, help, of } of OPTIONAL_GAUGES) {
    family(`millrace_${name}`, 'gauge', help);
    for (const c of components) {
      const value = of(c);
      if (value !== undefined) sample(`millrace_${name}`, { component: c.component }, value);
    }
  }
  for (const { name, help, kinds, of } of SUMMARIES) {
    const full = `millrace_${name}_latency_seconds`;
    family(full, 'summary', help);
    for (const c of components) if (kinds.includes(c.kind)) summary(full, { component: c.component }, of(c));
  }
  if (checkpoints !== undefined) {
    for (const { name, type, help, of } of CHECKPOINTS) {
      family(`millrace_${name}`, type, help);
      const value = of(checkpoints.status, checkpoints.now);
      if (value !== undefined) sample(`millrace_${name}`, {}, value);
    }
    family('millrace_checkpoint_duration_seconds', 'summary', 'From the begin of a checkpoint to durable.');
    summary('millrace_checkpoint_duration_seconds', {}, checkpoints.status.took);
  }
  return `${lines.join('\n')}\n`;
}

export interface Health {
  readonly status: 200 | 503;
  readonly body: { readonly healthy: boolean; readonly topology: string; readonly state: TopologyState };
}

/** Healthy while it works, rests, drains, or has done all its work; not when it failed or was stopped from outside. */
export function health({ name, state }: { readonly name: string; readonly state: TopologyState }): Health {
  const healthy = state !== 'failed' && state !== 'killed' && state !== 'stopped';
  return { status: healthy ? 200 : 503, body: { healthy, topology: name, state } };
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
