/** What a person sees: alerts that scroll by, and below them the devices and the leaderboard, repainted in place. */
import { styleText } from 'node:util';
import { bolt, sink, type } from 'millrace';
import { type Screen, screen } from 'millrace/engine';
import type { Leaderboard } from './leaders.ts';
import type { Alert, Reading } from './readings.ts';

/** A sink that shows each value on the screen of the run: a block on a terminal, plain lines in a pipe. */
export function onScreen<T>(show: (screen: Screen, value: T) => void) {
  return sink<T>({
    mode: 'append',
    batch: { size: 100, every: '20ms' },
    open(task) {
      const own = task.use(screen);
      return { write: (values) => values.forEach((value) => void show(own, value)) };
    },
  });
}

export const showAlert = onScreen<Alert>((screen, alert) => screen.log(alertLine(alert)));
export const showLeaders = onScreen<Leaderboard>((screen, board) => {
  const lines = leaderLines(board);
  if (screen.live) screen.set('leaders', ['', ...lines]);
  else lines.forEach((line) => void screen.log(line));
});
/** Too restless for a pipe: there it is left out. */
export const showDevices = onScreen<readonly string[]>((screen, lines) => {
  if (screen.live) screen.set('devices', ['', ...lines]);
});

export function alertLine(alert: Alert): string {
  const { device_id, timestamp, value, window_mean, window_std, z_score } = alert;
  const mean = `${window_mean.toFixed(1).padStart(5)} ± ${window_std.toFixed(1).padStart(4)}`;
  return `${clock(timestamp)}  ${red('ALERT')}  ${device_id}  ${tenths(value)}  mean ${mean}  z ${z_score.toFixed(2)}`;
}

export function leaderLines({ start, end, leaders }: Leaderboard): string[] {
  const title = `Most anomalous from ${clock(start).slice(0, 5)} to ${clock(end).slice(0, 5)} UTC`;
  return [
    styleText('bold', title),
    ...leaders.map(
      ({ device_id, alerts, highest_z }, at) =>
        `  ${at + 1}. ${device_id}  ${count(alerts)}   highest z ${highest_z.toFixed(2)}`,
    ),
  ];
}

/** Readings of a device that its line shows. */
const SHOWN = 40;

interface DeviceLine {
  readonly bars: readonly string[];
  readonly value: number;
  readonly alerts: number;
}

/** The devices, a line each, four times a second. It keeps no state: a picture may start anew with the program. */
export const devicesView = bolt({
  emits: type<readonly string[]>(),
  tick: '250ms',
  prepare({ emit }) {
    const devices = new Map<string, DeviceLine>();
    const add = ({ device_id, value }: Reading, isAlert: boolean) => {
      const { bars, alerts } = devices.get(device_id) ?? { bars: [], alerts: 0 };
      const shown = [...bars, isAlert ? red(bar(value)) : bar(value)].slice(-SHOWN);
      devices.set(device_id, { bars: shown, value, alerts: alerts + Number(isAlert) });
    };
    return {
      execute: { normal: (reading: Reading) => add(reading, false), alert: (alert: Alert) => add(alert, true) },
      tick() {
        if (devices.size === 0) return;
        const lines = [...devices.keys()].sort().map((device) => {
          const { bars, value, alerts } = devices.get(device)!;
          const space = ' '.repeat(SHOWN - bars.length);
          // What must be read comes first: a narrow terminal cuts the end of a line.
          return `  ${device}  ${tenths(value)}  ${count(alerts)}  ${space}${bars.join('')}`;
        });
        emit([styleText('bold', 'Devices'), ...lines]);
      },
    };
  },
});

/** Below 48 is the lowest bar, 72 and above the highest. */
function bar(value: number): string {
  return '▁▂▃▄▅▆▇█'[Math.max(0, Math.min(7, Math.floor((value - 44) / 4)))]!;
}

function count(alerts: number): string {
  return `${String(alerts).padStart(4)} ${alerts === 1 ? 'alert ' : 'alerts'}`;
}

function tenths(value: number): string {
  return value.toFixed(1).padStart(5);
}

/** Event times are shown in UTC, so that they read the same wherever the detector runs. */
function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

function red(text: string): string {
  return styleText('red', text);
}
