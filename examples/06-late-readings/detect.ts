/**
 * The detection in event time: a reading is judged when no earlier one is expected any more, in the order in which they
 * were measured. So the alerts are the same, however late and mixed up the readings come within five seconds.
 */
import { bolt, list, mapOf, type } from 'millrace';
import { statistics } from '../02-anomaly-detector/detect.ts';
import { Alert, Reading } from './readings.ts';

const WINDOW = 10_000;
const FEWEST_READINGS = 5;
const THRESHOLD = 2;
const ROUNDING = 1e-9;

export const detect = bolt({
  emits: { alerts: Alert, normal: Reading },
  state: {
    /** Readings that wait for their turn, by their time. */
    waiting: mapOf<Reading[], number>(type<Reading[]>()),
    /** Those of the last ten seconds, in order. Without new ones they are forgotten. */
    recent: list(Reading, { ttl: { event: WINDOW } }),
  },
  timers: { turn: 'event' },
  prepare: ({ emit, state: { waiting, recent }, timers, watermark, reject, now }) => ({
    execute(reading: Reading, time) {
      if (time <= watermark()) return reject(`measured ${watermark() - time} ms before what has been judged`, 'late');
      waiting.set(time, [...(waiting.get(time) ?? []), reading]);
      timers.turn.set(time);
    },
    timer: {
      turn(time) {
        const readings = waiting.get(time)!;
        waiting.delete(time);
        for (const reading of readings) {
          const window = [...recent.get(), reading].filter(({ timestamp }) => timestamp > time - WINDOW);
          recent.set(window);
          const values = window.map(({ value }) => value);
          const { mean, std, zScore } = statistics(values, reading.value);
          if (window.length < FEWEST_READINGS || zScore <= THRESHOLD + ROUNDING) emit.normal(reading);
          else
            emit.alerts({
              ...reading,
              window_mean: mean,
              window_std: std,
              z_score: zScore,
              alert_time: now(),
              last_readings: window.slice(-5),
            });
        }
      },
    },
  }),
});
