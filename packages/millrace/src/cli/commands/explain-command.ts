/** `millrace explain`: why a window or a timer of the running topology has not fired. */
import { formatDuration } from '../../duration.ts';
import type { ComponentEventTime } from '../../engine/explanation.ts';
import { explanationText, holderName, momentText } from '../../engine/explanation-text.ts';
import { MillraceError } from '../../errors.ts';
import { tableLines } from '../table.ts';
import { print, printJson } from '../terminal.ts';
import { visible } from '../text-width.ts';
import type { DataOptions } from './with-data.ts';
import { withRunning } from './with-data.ts';

interface ExplainOptions extends DataOptions {
  readonly key?: string;
  readonly time?: string;
}

export async function explainCommand(component: string | undefined, options: ExplainOptions): Promise<void> {
  const { key, time } = options;
  if (component === undefined) {
    if (key !== undefined || time !== undefined)
      throw new MillraceError('MR_USAGE', ['--key and --time are of one component: name it']);
    return overview(options);
  }
  const params = {
    component,
    ...(key === undefined ? {} : { key }),
    ...(time === undefined ? {} : { time: parseTime(time) }),
  };
  const explanation = await withRunning(options, (access) => access.call('explain', params));
  if (options.json) printJson(explanation);
  else print(...explanationText(explanation).map(visible));
}

async function overview(options: DataOptions): Promise<void> {
  const answer = await withRunning(options, (access) => access.call('event-time', {}));
  if (options.json) return printJson(answer);
  if (answer.components.length === 0)
    return print(
      `nothing in ${answer.topology} follows event time: no bolt has windows or timers, or asks for watermarks`,
    );
  print(...overviewLines(answer.components));
}

const HEAD = [
  { title: 'COMPONENT' },
  { title: 'EVENT TIME' },
  { title: 'BEHIND', right: true },
  { title: 'TIMERS', right: true },
  { title: 'NEXT' },
  { title: 'HELD BY' },
];

export function overviewLines(components: readonly ComponentEventTime[], columns?: number): string[] {
  const rows = components.map(({ component, kind, watermark, idle, lag, timers, next, holder }) => [
    component,
    momentText(watermark),
    lag === undefined ? undefined : lag < 0 ? `-${formatDuration(-lag)}` : formatDuration(lag),
    kind === 'spout' ? undefined : timers,
    next === undefined ? undefined : momentText(next),
    idle ? `all sources are idle` : holder && holderName(holder),
  ]);
  return tableLines(HEAD, rows, columns);
}

/** A date and time, or milliseconds since 1970. */
export function parseTime(text: string): number {
  const time = /^\d+$/.test(text) ? Number(text) : /^\d{4}-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return time;
  const want = 'a time like 2026-01-31T12:00:00Z, or milliseconds since 1970';
  throw new MillraceError('MR_USAGE', [`--time ${text} is not understood: write ${want}`]);
}
