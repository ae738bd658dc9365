/** Dozens of kills: over the embedded log, over our broker by TCP, which is killed as well, and over Apache Kafka. Run by `.ci/run`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';
import { atApacheKafka, embedded, type Ground, overTcp } from './ground.ts';
import { killAgainAndAgain } from './kill.ts';
import { scenarios } from './scenarios.ts';

const SEED = 5;

async function under(
  t: TestContext,
  scenario: (typeof scenarios)[number],
  kills: number,
  open: (folder: string) => Ground | Promise<Ground>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ground = await open(folder);
  t.after(() => ground.close());
  const say = () => {};
  const report = await killAgainAndAgain({
    ...{ scenario, ground, folder, kills, seed: SEED, perSecond: 1000, brokerEach: 4, say },
  });
  t.diagnostic(JSON.stringify(report));
}

const reason = whyNoJava('server');
const kafka = reason === undefined ? await startKafka() : undefined;
after(() => kafka?.stop());

for (const scenario of scenarios)
  describe(`${scenario.name}, killed with SIGKILL under load`, { concurrency: 2 }, () => {
    test('24 times over the embedded log', (t) => under(t, scenario, 24, embedded));
    test('24 times over our broker by TCP, and the broker 6 times', (t) => under(t, scenario, 24, overTcp));
    test('12 times over Apache Kafka', { skip: reason ?? false }, (t) =>
      under(t, scenario, 12, (folder) => atApacheKafka(folder, kafka!.bootstrap)),
    );
  });
