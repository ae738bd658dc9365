/**
 * The job that the demo kills: the main job's own detection over readings with numbers, from a file into a topic, from there
 * judged, and each verdict into a topic; alerts into SQLite as well. Nothing in it knows that it is killed.
 */
import { bolt, topology, type, value } from 'millrace';
import { fileLines } from 'millrace/file';
import { sqliteSink } from 'millrace/sqlite';
import { json, topic, topicSink, topicSpout } from 'millrace/topic';
import * as z from 'zod';
import { detect } from '../../../examples/02-anomaly-detector/detect.ts';
import { Reading } from '../../../examples/02-anomaly-detector/readings.ts';

export type Numbered = z.infer<typeof Numbered>;
/** `n`: the readings of a device, counted by who sends them. */
const Numbered = Reading.extend({ n: z.int().positive() });

const readings = topic('readings', { value: json(Numbered), key: (reading) => reading.device_id, partitions: 4 });

export type Verdict = z.infer<typeof Verdict>;
/** `seen`: the same, counted by the job, in its state. */
const Verdict = z.object({ device_id: z.string(), n: z.int(), seen: z.int(), alert: z.boolean() });
export const verdicts = topic('verdicts', { value: json(Verdict), key: (verdict) => verdict.device_id });

const judge = bolt({
  emits: type<Verdict>(),
  state: { seen: value(0) },
  prepare({ emit, state: { seen } }) {
    // The detection gives on what it was given, numbers included, though it knows nothing of them.
    const verdictOn = (alert: boolean) => (reading: Reading) => {
      seen.set(seen.get() + 1);
      emit({ device_id: reading.device_id, n: (reading as Numbered).n, seen: seen.get(), alert });
    };
    return { execute: { normal: verdictOn(false), alert: verdictOn(true) } };
  },
});

const Config = z.strictObject({ file: z.string(), database: z.string() });

export default topology('detector', (t) => {
  const { file, database } = t.config(Config);
  const lines = t.spout('sensors', fileLines(file, { follow: true }));
  const sent = t.bolt('parse', lines.shuffle(), (line) => JSON.parse(line) as Numbered);
  t.sink('record', sent.shuffle(), topicSink(readings));

  const taken = t.spout('readings', topicSpout(readings, { group: 'detector' }));
  const { alerts, normal } = t.bolt('detect', taken.fields('device_id'), detect, { parallelism: 2 });
  const judged = t.bolt('judge', { normal: normal.fields('device_id'), alert: alerts.fields('device_id') }, judge);
  t.sink('verdicts', judged.shuffle(), topicSink(verdicts));
  const rows = t.bolt('rows', judged.shuffle(), ({ alert, ...row }) => (alert ? row : undefined));
  t.sink('database', rows.shuffle(), sqliteSink({ path: database, table: 'alerts' }));
});
