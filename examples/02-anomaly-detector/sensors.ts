/** Five simulated sensors: values around 50 ± 5, and now and then one that is far too high. The same seed, the same values. */
import type { Reading } from './readings.ts';

export const DEVICES = ['sensor-1', 'sensor-2', 'sensor-3', 'sensor-4', 'sensor-5'];
export const READINGS_PER_SECOND = 10 * DEVICES.length;
const ANOMALIES = 0.05;

/** What the sensors measure, in turns, without end. The time is the business of whoever asks. */
export function* measurements(seed: number): Generator<Omit<Reading, 'timestamp'>, never> {
  const random = randomNumbers(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  for (;;) {
    for (const device_id of DEVICES) {
      const usual = between(45, 55);
      const value = random() < ANOMALIES ? usual + between(20, 50) : usual;
      yield { device_id, value: Math.round(value * 10) / 10 };
    }
  }
}

/** Numbers in [0, 1) that follow from the seed alone: a counter, each count stirred until no bit shows where it was. */
function randomNumbers(seed: number): () => number {
  let count = Math.imul(seed, 0xc2b2ae35); // puts seeds far apart; and with this factor seed 1 has an anomaly within a second
  return () => {
    count = (count + 0x9e3779b9) | 0;
    let bits = Math.imul(count ^ (count >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
}
