/** `npm run kill -- [--kills N] [--on embedded|tcp|kafka] [--seed N] [--scenario NAME]`: as many kills as one likes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';
import { atApacheKafka, embedded, overTcp } from './ground.ts';
import { killAgainAndAgain } from './kill.ts';
import { scenarioNamed, scenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    on: { type: 'string', default: 'embedded' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    scenario: { type: 'string' },
    rate: { type: 'string', default: '2000' },
    interval: { type: 'string' },
    'broker-each': { type: 'string' },
  },
});

for (const scenario of values.scenario === undefined ? scenarios : [scenarioNamed(values.scenario)]) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  const reason = values.on === 'kafka' ? whyNoJava('server') : undefined;
  if (reason !== undefined) throw new Error(reason);
  const kafka = values.on === 'kafka' ? await startKafka() : undefined;
  const ground = kafka
    ? atApacheKafka(folder, kafka.bootstrap)
    : values.on === 'tcp'
      ? await overTcp(folder)
      : embedded(folder);
  console.log(`${scenario.name} over ${ground.name}, seed ${values.seed}, in ${folder}`);
  try {
    const report = await killAgainAndAgain({
      scenario,
      ground,
      folder,
      kills: Number(values.kills),
      seed: Number(values.seed),
      perSecond: Number(values.rate),
      ...(values.interval === undefined ? {} : { interval: values.interval }),
      ...(values['broker-each'] === undefined ? {} : { brokerEach: Number(values['broker-each']) }),
      say: (text) => console.log(text),
    });
    console.log(`nothing lost, nothing doubled: ${JSON.stringify(report)}`);
    rmSync(folder, { recursive: true, force: true });
  } finally {
    // What has failed stays, to be looked at.
    await ground.close();
    await kafka?.stop();
  }
}
