import { writeSync } from 'node:fs';
import { Broker } from './broker.ts';

/** The process that kill.test.ts kills: a broker over the directory and on the port that it is given. */
const [directory, port] = process.argv.slice(2);
const broker = await Broker.start({ directory: directory!, port: Number(port) });
if (!broker.log.topics().includes('t')) {
  await broker.log.createTopic('t', { partitions: 3, config: { 'segment.bytes': 40_000 } });
}
const STANDARD_OUTPUT = 1;
writeSync(STANDARD_OUTPUT, `${broker.port}\n`);
