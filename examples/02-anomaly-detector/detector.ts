/**
 * The anomaly detector: five simulated sensors write to a durable topic; a topology reads it, finds the readings that
 * are out of line, and sends them to a topic, to SQLite, to a leaderboard and to your screen.
 *
 *     npx millrace run detector.ts
 */
import { join } from 'node:path';
import { generatorSpout, topology } from 'millrace';
import { run } from 'millrace/engine';
import { sqliteSink } from 'millrace/sqlite';
import { topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { detect } from './detect.ts';
import { leaders } from './leaders.ts';
import { type Alert, alertTopic, type Reading, sensorReadings } from './readings.ts';
import { measurements, READINGS_PER_SECOND } from './sensors.ts';
import { devicesView, showAlert, showDevices, showLeaders } from './view.ts';

const Config = z.strictObject({
  /** Of the sensors' values: the same seed, the same values. */
  seed: z.int().default(1),
  /** The SQLite file that the alerts are written to. */
  database: z.string().default(join(import.meta.dirname, 'alerts.sqlite')),
});

export default topology('anomaly-detector', (t) => {
  const { seed, database } = t.config(Config);

  // The sensors. A measurement becomes a reading when it gets the time of its tuple.
  const measured = t.spout(
    'sensors',
    generatorSpout(() => measurements(seed), { rate: READINGS_PER_SECOND }),
  );
  const stamped = t.bolt('clock', measured.shuffle(), (m, time): Reading => ({ ...m, timestamp: time }));
  t.sink('record', stamped.shuffle(), topicSink(sensorReadings));

  // The detection. It knows the topic and nothing of the sensors: stopped and started, it goes on where it was.
  const readings = t.spout('readings', topicSpout(sensorReadings, { group: 'anomaly-detector' }));
  const { alerts, normal } = t.bolt('detect', readings.fields('device_id'), detect, { parallelism: 2 });
  const boards = t.bolt('leaders', alerts.global(), leaders, { onError: { retries: 0 } });

  // Where alerts go. A reading that is replayed after a crash meets its own row in the database.
  t.sink('alerts', alerts.shuffle(), topicSink(alertTopic));
  t.sink(
    'database',
    alerts.shuffle(),
    sqliteSink<Alert>({
      path: database,
      table: 'alerts',
      key: ['device_id', 'timestamp', 'value'],
      row: ({ last_readings, ...alert }) => ({ ...alert, last_readings: JSON.stringify(last_readings) }),
    }),
  );

  // What you see.
  const devices = t.bolt('devices', { normal: normal.global(), alert: alerts.global() }, devicesView);
  t.sink('show-alerts', alerts.shuffle(), showAlert);
  t.sink('show-leaders', boards.shuffle(), showLeaders);
  t.sink('show-devices', devices.shuffle(), showDevices);

  return { measured, readings, alerts, boards, devices }; // what a test feeds and reads
});

if (import.meta.main) await run(import.meta.url);
