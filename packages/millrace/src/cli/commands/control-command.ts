/** `millrace status`, `activate`, `deactivate` and `kill`: beside the running topology. */
import { formatDuration } from '../../duration.ts';
import type { CheckpointStatus, ComponentMetrics, LatencySnapshot } from '../../engine/running.ts';
import { epochText } from '../../topology/epoch.ts';
import type { Receipt } from '../../topology/receipt.ts';
import type { State, Status } from '../api.ts';
import type { Cell } from '../table.ts';
import { byteText, counted, latencyText, tableLines } from '../table.ts';
import { print, printJson } from '../terminal.ts';
import { shortPath } from '../user-frames.ts';
import type { DataOptions } from './with-data.ts';
import { withRunning } from './with-data.ts';

export async function showStatus(options: DataOptions): Promise<void> {
  const status = await withRunning(options, (access) => access.call('status', {}));
  if (options.json) printJson(status);
  else print(...statusLines(status, Date.now()));
}

export async function tell(what: 'activate' | 'deactivate', options: DataOptions): Promise<void> {
  showState(await withRunning(options, (access) => access.call(what, {})), options);
}

export interface StopOptions extends DataOptions {
  readonly now?: boolean;
  readonly drain?: boolean;
}

export async function stop({ now = false, drain = false, ...options }: StopOptions): Promise<void> {
  const stopped = await withRunning(options, (access) =>
    now ? access.call('kill', {}) : access.call('stop', { drain }),
  );
  showState(stopped, options);
}

function showState(state: State, options: DataOptions): void {
  if (options.json) printJson(state);
  else print(`${state.topology} is ${state.state}`);
}

const TEXT = ['COMPONENT', 'KIND'];
const NUMBERS = ['TASKS', 'IN', 'EMITTED', 'ACKED', 'FAILED', 'LEDGER', 'P50', 'P99', 'CAPACITY', 'WAITING'];
/** Only in topologies that have them. */
const OPTIONAL: readonly { readonly title: string; readonly of: (component: ComponentMetrics) => Cell }[] = [
  { title: 'BEHIND', of: ({ lag }) => (lag === undefined ? undefined : formatDuration(Math.max(0, lag))) },
  { title: 'TIMERS', of: ({ timers }) => timers },
  { title: 'KEYS', of: ({ keys }) => keys },
];

export function statusLines(status: Status, now: number, columns?: number): string[] {
  const { pid, data, receipt, metrics, checkpoints } = status;
  const { topology, state, uptime, components } = metrics;
  const optional = OPTIONAL.filter(({ of }) => components.some((component) => of(component) !== undefined));
  const numbers = [...NUMBERS, ...optional.map(({ title }) => title)];
  const head = [...TEXT.map((title) => ({ title })), ...numbers.map((title) => ({ title, right: true }))];
  const rows = components.map((component) => [...row(component), ...optional.map(({ of }) => of(component))]);
  return [
    `${topology} is ${state} for ${formatDuration(uptime)} · ${promised(receipt)} · process ${pid} · ${shortPath(data)}`,
    ...(checkpoints === undefined ? [] : [checkpointLine(checkpoints, now)]),
    '',
    ...tableLines(head, rows, columns),
    '',
    'P50 and P99: of a spout from emit to ack of the whole tree, of a bolt in its code, of a sink from event to write.',
    ...(components.some(({ lag }) => lag !== undefined)
      ? ["BEHIND: how far the clock is ahead of event time; 'millrace explain' says who holds it."]
      : []),
  ];
}

function promised({ paths }: Receipt): string {
  return [...new Set(paths.map(({ guarantee }) => guarantee))].join(', ') || 'no path';
}

/** One that is under way is told of when it takes longer than usual. */
function checkpointLine({ last, interval, current, failed, unpublished }: CheckpointStatus, now: number): string {
  const ago = last && formatDuration(Math.max(0, now - last.at));
  return [
    last === undefined
      ? 'no checkpoint yet'
      : `checkpoint ${epochText(last.epoch)} ${ago} ago, in ${latencyText(last.took)}`,
    ...(current !== undefined && current.since > 10 * interval
      ? [`the next under way for ${formatDuration(current.since)}`]
      : []),
    ...(failed > 0 ? [`${counted(failed, 'checkpoint')} failed`] : []),
    ...(unpublished.epochs > 1
      ? [`${counted(unpublished.epochs, 'epoch')} (${byteText(unpublished.bytes)}) unpublished`]
      : []),
  ].join(' · ');
}

function row(component: ComponentMetrics): Cell[] {
  const { kind, streams, executed, acked, failed, ledgered, capacity, queued, pending } = component;
  const latency = latencyOf(component);
  return [
    component.component,
    kind,
    component.tasks,
    kind === 'spout' ? undefined : executed,
    kind === 'sink' ? undefined : streams.reduce((sum, { emitted }) => sum + emitted, 0),
    acked,
    failed,
    ledgered,
    latency.count === 0 ? undefined : latencyText(latency.p50),
    latency.count === 0 ? undefined : latencyText(latency.p99),
    `${Math.round(capacity * 100)} %`,
    kind === 'spout' ? pending : queued,
  ];
}

function latencyOf({ kind, complete, execute, result }: ComponentMetrics): LatencySnapshot {
  return kind === 'spout' ? complete : kind === 'bolt' ? execute : result;
}
