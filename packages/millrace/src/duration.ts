/** Durations as people write them ('1m30s'), in milliseconds. */
import { MillraceError } from './errors.ts';

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';
/** Milliseconds, or text of one or two parts, largest unit first: '250ms', '10s', '1m30s', '2h', '7d'. */
export type Duration = number | `${number}${Unit}` | `${number}${Unit}${number}${Unit}`;

const PARTS =
  /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;
const UNITS = [86_400_000, 3_600_000, 60_000, 1000, 1] as const;

/** A duration in milliseconds, never negative. Anything else is refused: MR_DURATION. */
export function milliseconds(duration: Duration): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration) && duration >= 0) return duration;
    throw new MillraceError('MR_DURATION', [duration]);
  }
  const parts = typeof duration === 'string' ? PARTS.exec(duration) : null;
  if (!parts || parts[0] === '') throw new MillraceError('MR_DURATION', [duration]);
  return UNITS.reduce((total, unit, i) => total + Number(parts[i + 1] ?? 0) * unit, 0);
}

/** A span of milliseconds for people, in at most two units: '0ms', '250ms', '1m30s', '2h5m'. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest < 1000) return `${rest}ms`;
  const parts: string[] = [];
  for (const [name, unit] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    const n = Math.floor(rest / unit);
    if (n > 0 && parts.length < 2) parts.push(`${n}${name}`);
    rest -= n * unit;
  }
  return parts.join('');
}

/** The largest time that a Date takes. */
export const LAST_DATE = 8.64e15;

/** A time in milliseconds since 1970 for people: ISO 8601 in UTC where it is a date. */
export function formatTime(ms: number): string {
  if (ms === Infinity) return 'the end of time';
  if (ms === -Infinity) return 'the beginning of time';
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
