/**
 * The anomaly detector once more, in event time: readings come late and out of order, and the alerts and the leaderboard
 * are what they would be if none did.
 *
 *     npx millrace run late-readings.ts
 */
import { generatorSpout, topology } from 'millrace';
import { run } from 'millrace/engine';
import { topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { showAlert, showLeaders } from '../02-anomaly-detector/view.ts';
import { detect } from './detect.ts';
import { leaders } from './leaders.ts';
import { delayedReadings, orderedAlerts, type Reading } from './readings.ts';
import { type Arrival, arrivals, READINGS_PER_SECOND } from './sensors.ts';

const Config = z.strictObject({
  /** Of the sensors and of the network. */
  seed: z.int().default(1),
});

export default topology('late-readings', (t) => {
  const { seed } = t.config(Config);

  // The sensors and their network. A reading has the time at which it was measured, some way before its arrival.
  const arrived = t.spout(
    'network',
    generatorSpout(() => arrivals(seed), { rate: READINGS_PER_SECOND }),
  );
  const stamped = t.bolt('clock', arrived.shuffle(), ({ delay, ...measured }: Arrival, time): Reading => {
    return { ...measured, timestamp: Math.round(time - delay) };
  });
  t.sink('record', stamped.shuffle(), topicSink(delayedReadings));

  // Nothing is judged before everything that was measured earlier has had five seconds to come.
  const readings = t.spout('readings', topicSpout(delayedReadings, { group: 'late-readings' }), {
    time: { from: (reading) => reading.timestamp, outOfOrder: '5s', idle: '10s' },
  });
  const { alerts } = t.bolt('detect', readings.fields('device_id'), detect, { parallelism: 2 });
  const boards = t.bolt('leaders', alerts.global(), leaders);

  t.sink('alerts', alerts.shuffle(), topicSink(orderedAlerts));
  t.sink('show-alerts', alerts.shuffle(), showAlert);
  t.sink('show-leaders', boards.shuffle(), showLeaders);

  return { arrived, readings, alerts, boards }; // what a test feeds and reads
});

if (import.meta.main) await run(import.meta.url);
