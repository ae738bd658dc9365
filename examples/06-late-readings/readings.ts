/** What flows: the readings and alerts of the anomaly detector, on topics of their own. */
import { json, topic } from 'millrace/topic';
import { Alert, Reading } from '../02-anomaly-detector/readings.ts';

export { Alert, Reading };

export const delayedReadings = topic('delayed_readings', {
  value: json(Reading),
  key: (reading) => reading.device_id,
  time: (reading) => reading.timestamp,
  partitions: 4,
});

export const orderedAlerts = topic('ordered_alerts', {
  value: json(Alert),
  key: (alert) => alert.device_id,
  time: (alert) => alert.timestamp,
});
