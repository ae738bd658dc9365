/** The leaderboard as a window: per five minutes of event time, the three devices with the most alerts. */
import { aggregate, tumbling, windowed } from 'millrace';
import type { Leader } from '../02-anomaly-detector/leaders.ts';
import type { Alert } from './readings.ts';

type Devices = { readonly [device: string]: Leader };

const leadersOf = aggregate<Alert, Devices, readonly Leader[]>({
  create: () => ({}),
  add: (devices, { device_id, z_score }) => {
    const one = { device_id, alerts: 1, highest_z: z_score };
    return { ...devices, [device_id]: both(devices[device_id], one) };
  },
  merge: (older, newer) => {
    const all: { [device: string]: Leader } = { ...older };
    for (const leader of Object.values(newer)) all[leader.device_id] = both(all[leader.device_id], leader);
    return all;
  },
  result: (devices) => Object.values(devices).sort(byRank).slice(0, 3),
});

function both(one: Leader | undefined, other: Leader): Leader {
  if (one === undefined) return other;
  return {
    device_id: one.device_id,
    alerts: one.alerts + other.alerts,
    highest_z: Math.max(one.highest_z, other.highest_z),
  };
}

/** The most alerts first; among equals, the highest z-score. */
function byRank(a: Leader, b: Leader): number {
  return b.alerts - a.alerts || b.highest_z - a.highest_z || (a.device_id < b.device_id ? -1 : 1);
}

/** As it stands every ten seconds, and once more when the five minutes are over. */
export const leaders = windowed(tumbling('5m'), { leaders: leadersOf }, { early: '10s' });
