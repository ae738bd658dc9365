import { writeSync } from 'node:fs';
import { openLog } from './log.ts';

/**
 * The process that kill.test.ts kills: opens the directory it is given, sends without end, and says on its output what
 * was acknowledged, a line `<partition> <offset> <value>` each, only after it was.
 */
const STANDARD_OUTPUT = 1;
const log = await openLog({ directory: process.argv[2]! });
if (log.topics().length === 0) {
  await log.createTopic('t', { partitions: 3, config: { 'segment.bytes': 50_000 } });
}
writeSync(STANDARD_OUTPUT, 'open\n');
const producer = log.producer({ batchSize: 4000 });
const run = process.argv[3]!;

async function sendForever(sender: number): Promise<never> {
  for (let n = 0; ; n++) {
    const value = `${run}-${sender}-${n}`.padEnd(n % 400, '.');
    const { partition, offset } = await producer.send({ topic: 't', partition: sender % 3, value: Buffer.from(value) });
    writeSync(STANDARD_OUTPUT, `${partition} ${offset} ${value}\n`);
    if (n % 10 === 0) await log.commitOffsets('g', 't', new Map([[partition, offset]]));
  }
}

await Promise.all(Array.from({ length: 12 }, (_, sender) => sendForever(sender)));
