/** What flows through the detector, each with its schema, and the topics that hold it. */
import { json, topic } from 'millrace/topic';
import * as z from 'zod';

export type Reading = z.infer<typeof Reading>;
export const Reading = z.object({
  device_id: z.string().min(1),
  value: z.number(),
  /** Event time: when the sensor measured, milliseconds since 1970. */
  timestamp: z.int().nonnegative(),
});

export type Alert = z.infer<typeof Alert>;
export const Alert = Reading.extend({
  /** Of the device's readings in the window, this one included. */
  window_mean: z.number(),
  window_std: z.number(),
  /** How many standard deviations the value is away from the mean. */
  z_score: z.number(),
  /** When the alert was raised, milliseconds since 1970. */
  alert_time: z.int(),
  /** The device's last five readings, oldest first; the last one is what the alert is about. */
  last_readings: z.array(Reading),
});

export const sensorReadings = topic('sensor_readings', {
  value: json(Reading),
  key: (reading) => reading.device_id,
  time: (reading) => reading.timestamp,
  partitions: 4,
});

export const alertTopic = topic('alerts', {
  value: json(Alert),
  key: (alert) => alert.device_id,
  time: (alert) => alert.timestamp,
});
