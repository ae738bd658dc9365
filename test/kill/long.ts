/** Dozens of kills: over the embedded log, over our broker by TCP, which is killed as well, and over Apache Kafka. Run by `.ci/run`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';
import { features } from './features.ts';
import { atApacheKafka, embedded, type Ground, overTcp } from './ground.ts';
import { killAgainAndAgain } from './kill.ts';
import type { Scenario } from './scenario.ts';
import { manyWords, wordCount } from './word-count.ts';

const SEED = 5;

async function under(
  t: TestContext,
  scenario: Scenario,
  kills: number,
  open: (folder: string) => Ground | Promise<Ground>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ground = await open(folder);
  t.after(() => ground.close());
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  try {
    const report = await killAgainAndAgain({
      ...{ scenario, ground, folder, kills, seed: SEED, perSecond: 1000, brokerEach: 4, say },
    });
    t.diagnostic(JSON.stringify(report));
  } catch (error) {
    for (const line of said) t.diagnostic(line);
    throw error;
  }
}

const reason = whyNoJava('server');
const kafka = reason === undefined ? await startKafka() : undefined;
after(() => kafka?.stop());

describe('killed with SIGKILL under load, nothing is lost and nothing doubled', { concurrency: 2 }, () => {
  for (const scenario of [wordCount, features]) {
    const { name } = scenario;
    test(`${name}: 16 times over the embedded log`, (t) => under(t, scenario, 16, embedded));
    test(`${name}: 12 times over our broker by TCP, and the broker 3 times`, (t) => under(t, scenario, 12, overTcp));
    test(`${name}: 8 times over Apache Kafka`, { skip: reason ?? false }, (t) =>
      under(t, scenario, 8, (folder) => atApacheKafka(folder, kafka!.bootstrap)),
    );
  }
  test(`${manyWords.name}: 12 times over the embedded log`, (t) => under(t, manyWords, 12, embedded));
});
