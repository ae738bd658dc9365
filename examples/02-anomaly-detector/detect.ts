/** The detection: each reading against the last ten seconds of its own device. */
import { bolt, list } from 'millrace';
import { Alert, Reading } from './readings.ts';

const WINDOW = 10_000;
const FEWEST_READINGS = 5;
const THRESHOLD = 2;
/** Five readings can be exactly 2 deviations apart and never more, but in binary fractions 2 may come out a hair above 2. */
const ROUNDING = 1e-9;

/**
 * The window is one of event time: what the device measured in the ten seconds up to this reading, which is part of it;
 * a reading exactly ten seconds older is not. So the answer is the same whether the readings come live, or from the
 * topic after a stop.
 */
export const detect = bolt({
  emits: { alerts: Alert, normal: Reading },
  state: { recent: list(Reading) }, // per device: the stream is grouped by it
  prepare: ({ emit, state, now }) => ({
    execute(reading: Reading) {
      const recent = [...state.recent.get(), reading].filter((r) => r.timestamp > reading.timestamp - WINDOW);
      state.recent.set(recent);

      // A reading that comes late is judged by what was measured before it.
      const window = recent.filter((r) => r.timestamp <= reading.timestamp);
      const { mean, std, zScore } = statistics(
        window.map((r) => r.value),
        reading.value,
      );
      if (window.length < FEWEST_READINGS || zScore <= THRESHOLD + ROUNDING) return emit.normal(reading);
      emit.alerts({
        ...reading,
        window_mean: mean,
        window_std: std,
        z_score: zScore,
        alert_time: now(),
        last_readings: window.slice(-5),
      });
    },
  }),
});

/** Mean, population standard deviation, and how many of these `value` is away from the mean: 0 where all are the same. */
export function statistics(values: readonly number[], value: number): { mean: number; std: number; zScore: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  return { mean, std, zScore: std === 0 ? 0 : Math.abs(value - mean) / std };
}
