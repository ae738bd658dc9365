/** The sensors of the anomaly detector behind a bad network: what they measure arrives late, and not in order. */
import { measurements, READINGS_PER_SECOND } from '../02-anomaly-detector/sensors.ts';

export { READINGS_PER_SECOND };

/** A measurement on its arrival. */
export interface Arrival {
  readonly device_id: string;
  readonly value: number;
  /** How long ago it was measured, milliseconds. */
  readonly delay: number;
}

/** Of a hundred measurements so many are held up by up to `BUSY` ms, and so many for `LOST` ms; the others come at once. */
const OFTEN = 30;
const SELDOM = 1;
export const BUSY = 4000;
export const LOST = 9000;

/** What arrives, in the order of its arrival, without end. The same seed, the same arrivals. */
export function* arrivals(seed: number): Generator<Arrival, never> {
  const every = 1000 / READINGS_PER_SECOND;
  const measured = measurements(seed);
  /** Those on their way, the next to arrive first. */
  let underWay: (Arrival & { readonly at: number })[] = [];
  for (let n = 0; ; n++) {
    const { value: measurement } = measured.next();
    const delay = delayOf(n, seed);
    underWay.push({ ...measurement, delay, at: n * every + delay });
    const arrived = underWay.filter(({ at }) => at <= n * every).sort((a, b) => a.at - b.at);
    underWay = underWay.filter(({ at }) => at > n * every);
    for (const { device_id, value, delay } of arrived) yield { device_id, value, delay };
  }
}

function delayOf(n: number, seed: number): number {
  const stirred = Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b);
  const percent = (stirred >>> 8) % 100;
  if (percent < SELDOM) return LOST;
  return percent < SELDOM + OFTEN ? (stirred >>> 16) % BUSY : 0;
}
