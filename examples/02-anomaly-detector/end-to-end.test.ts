/** The detector as a person runs it: started, interrupted, asked for what it found, started again. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { millrace, millraceUntil, temporaryFolder } from '../testing/command.ts';
import type { Alert } from './readings.ts';

const detector = join(import.meta.dirname, 'detector.ts');
const rawRecords = join(import.meta.dirname, '..', 'testing', 'raw-records.ts');

interface Record {
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string;
}
interface Described {
  readonly partitions: readonly { readonly latest: number }[];
  readonly groups: readonly { readonly group: string; readonly lag: readonly { readonly committed: number }[] }[];
}
interface Ledgered {
  readonly cause: string;
  readonly detail: string;
  readonly origin: { readonly spout: string; readonly split: string; readonly position: number };
}

test('stopped and started, it goes on where it was; alerts are in the topic and in SQLite', {
  timeout: 60_000,
}, async (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, 'data');
  const database = join(folder, 'alerts.sqlite');
  const start = ['run', detector, '--data', data, '--set', `database=${database}`];
  const json = ['--data', data, '--json'];
  const alertsInTopic = async () => {
    const { stdout } = await millrace(t, 'consume', 'alerts', ...json);
    return stdout.split('\n').filter(Boolean).map(toRecord);
  };

  const first = await millraceUntil(t, /(ALERT[\s\S]+?){2}\n/, ...start);
  assert.match(first.stdout, /^\d\d:\d\d:\d\d {2}ALERT {2}sensor-\d .+ z \d+\.\d\d\n/);
  assert.match(first.stderr, /readings → alerts +exactly-once\n +readings → database +convergent/);

  const found = await alertsInTopic();
  assert.ok(found.length >= 2);
  for (const { key, value, timestamp } of found) {
    const alert = JSON.parse(value) as Alert;
    assert.deepEqual([key, timestamp], [alert.device_id, alert.timestamp]);
  }
  assert.deepEqual(rowsOf(database), sorted(found));

  const described = JSON.parse(
    (await millrace(t, 'topics', 'describe', 'sensor_readings', ...json)).stdout,
  ) as Described;
  const latest = described.partitions.map((partition) => partition.latest);
  assert.equal(latest.length, 4);
  const lag = described.groups.find((one) => one.group === 'anomaly-detector')?.lag ?? [];
  assert.equal(lag.length, 4);
  const judged = lag.reduce((sum, { committed }) => sum + committed, 0);
  const recorded = latest.reduce((sum, offset) => sum + offset, 0);
  // At Ctrl-C the sensors stop a moment after the detection does.
  assert.ok(judged > 0 && recorded - judged < 25, `${judged} of ${recorded} readings are judged`);

  // While it is away, others write to the topic: readings of a sixth device, and what is no reading.
  const now = Date.now();
  const tenTimes = new Array<number>(10).fill(50);
  const probe = [...tenTimes, 90, ...tenTimes, 91].map((value, i) => ({
    device_id: 'probe',
    value,
    timestamp: now + i,
  }));
  const broken = [null, 'no JSON', '{"device_id":"probe","value":"high","timestamp":1}'];
  const values = [...broken, ...probe.map((reading) => JSON.stringify(reading))];
  await millrace(
    t,
    'run',
    rawRecords,
    '--data',
    data,
    '--set',
    `topic="sensor_readings"`,
    '--set',
    `values=${JSON.stringify(values)}`,
  );

  const second = await millraceUntil(t, /ALERT {2}probe +91\.0 /, ...start);
  assert.match(second.stderr, /restored checkpoint 1\.\d+ /);
  const all = await alertsInTopic();
  const distinct = new Set(sorted(all).map(({ device_id, timestamp, value }) => `${device_id} ${timestamp} ${value}`));
  assert.equal(distinct.size, all.length, 'no reading was judged twice');
  assert.deepEqual(all.slice(0, found.length), found);
  assert.equal(all.filter((record) => record.key === 'probe').length, 2);
  assert.deepEqual(rowsOf(database), sorted(all));

  const { entries } = JSON.parse((await millrace(t, 'ledger', 'list', ...json)).stdout) as { entries: Ledgered[] };
  const ledgered = entries.toSorted((a, b) => a.origin.position - b.origin.position);
  assert.deepEqual(
    ledgered.map(({ cause, origin }) => [cause, origin.spout]),
    [
      ['null', 'readings'],
      ['malformed', 'readings'],
      ['malformed', 'readings'],
    ],
  );
  const [{ origin }, { detail: noJson }, { detail: wrongType }] = ledgered as [Ledgered, Ledgered, Ledgered];
  const partition = Number(origin.split.replace('sensor_readings-', ''));
  assert.deepEqual(
    ledgered.map((entry) => [entry.origin.split, entry.origin.position]),
    [0, 1, 2].map((i) => [origin.split, latest[partition]! + i]),
    'each with the offset that it has in the topic',
  );
  assert.match(noJson, /no JSON/);
  assert.match(wrongType, /value: .*expected number/);
});

function toRecord(line: string): Record {
  return JSON.parse(line) as Record;
}

/** The alerts of these records as the database has them. */
function sorted(records: readonly Record[]): Alert[] {
  return records.map((record) => JSON.parse(record.value) as Alert).sort(byReading);
}

function rowsOf(path: string): Alert[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare('SELECT * FROM alerts').all();
  database.close();
  return rows
    .map((row) => ({ ...row, last_readings: JSON.parse(String(row.last_readings)) }) as unknown as Alert)
    .sort(byReading);
}

function byReading(a: Alert, b: Alert): number {
  return a.timestamp - b.timestamp || (a.device_id < b.device_id ? -1 : 1);
}
