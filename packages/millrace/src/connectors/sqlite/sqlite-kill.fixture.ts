/**
 * The process that sqlite-kill.test.ts kills: a start of a topology that publishes epochs into a table without end. Before it
 * publishes one it notes it in a file, which stands for completed checkpoints, and says so; afterwards it says that, too.
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { driveEpochs } from '../drive.ts';
import { sqliteSink } from './sqlite-sink.ts';

export interface Row {
  readonly epoch: number;
  readonly place: number;
}

const STANDARD_OUTPUT = 1;
const [path, checkpoints, start] = process.argv.slice(2) as [string, string, string];
const incarnation = Number(start);

/** Large ones, so that the process is killed in the middle of a publication, and small ones. */
const rowsOf = (epoch: number): Row[] =>
  Array.from({ length: epoch % 2 === 0 ? 3 : 2_000 }, (_, place) => ({ epoch, place }));

const writer = await driveEpochs(sqliteSink<Row>({ path, table: 'rows', create: 'CREATE TABLE rows (epoch, place)' }));
const last = await writer.claim(incarnation);
const complete = readFileSync(checkpoints, 'utf8').split('\n').slice(0, -1);
for (const line of complete) {
  const [made, number] = line.split(' ').map(Number) as [number, number];
  if (last === undefined || number > last.number) await writer.publish({ incarnation: made, number }, rowsOf(number));
}
for (let number = complete.length + 1; ; number++) {
  appendFileSync(checkpoints, `${incarnation} ${number}\n`);
  writeSync(STANDARD_OUTPUT, 'complete\n');
  await writer.publish({ incarnation, number }, rowsOf(number));
  writeSync(STANDARD_OUTPUT, `published ${number}\n`);
}
