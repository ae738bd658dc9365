/** The leaderboard: the three devices with the most alerts, in windows of five minutes that follow upon each other. */
import { bolt, type, value } from 'millrace';
import type { Alert } from './readings.ts';

export const FIVE_MINUTES = 300_000;

export interface Leader {
  readonly device_id: string;
  readonly alerts: number;
  readonly highest_z: number;
}
export interface Leaderboard {
  /** The window: event time from `start` up to and without `end`, milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  /** The most alerts first; among equals, the highest z-score. At most three. */
  readonly leaders: readonly Leader[];
}
/** One window with all its devices. */
interface Tally {
  readonly start: number;
  readonly devices: readonly Leader[];
}

/** An alert counts in the window of its reading's own time. Every ten seconds the board is emitted as it stands. */
export const leaders = bolt({
  emits: type<Leaderboard>(),
  // Oldest first. Around a boundary there are two for a moment: devices do not pass it at the same time.
  state: { tallies: value<readonly Tally[]>([]), closedBefore: value(0) },
  tick: '10s',
  prepare: ({ emit, state: { tallies, closedBefore } }) => ({
    execute(alert: Alert) {
      const start = alert.timestamp - (alert.timestamp % FIVE_MINUTES);
      if (start < closedBefore.get()) {
        const window = new Date(start).toISOString();
        throw new Error(`the alert is too late: the window of ${window} has shown its last leaderboard`); // to the ledger
      }
      const tally = tallies.get().find((one) => one.start === start) ?? { start, devices: [] };
      const others = tallies.get().filter((one) => one.start !== start);
      tallies.set([...others, counted(tally, alert)].sort((a, b) => a.start - b.start));
    },
    tick() {
      for (const { start, devices } of tallies.get()) {
        emit({ start, end: start + FIVE_MINUTES, leaders: [...devices].sort(byRank).slice(0, 3) });
      }
      // A window that a newer one has followed has now been shown whole, and is closed.
      const newest = tallies.get().slice(-1);
      tallies.set(newest);
      closedBefore.set(newest[0]?.start ?? 0);
    },
  }),
});

function counted({ start, devices }: Tally, { device_id, z_score }: Alert): Tally {
  const before = devices.find((one) => one.device_id === device_id) ?? { device_id, alerts: 0, highest_z: 0 };
  const others = devices.filter((one) => one.device_id !== device_id);
  const now = { device_id, alerts: before.alerts + 1, highest_z: Math.max(before.highest_z, z_score) };
  return { start, devices: [...others, now] };
}

function byRank(a: Leader, b: Leader): number {
  return b.alerts - a.alerts || b.highest_z - a.highest_z || (a.device_id < b.device_id ? -1 : 1);
}
