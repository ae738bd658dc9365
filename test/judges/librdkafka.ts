/**
 * `npm run judges:librdkafka`: librdkafka's own test suite against our broker and, where it can run, against Apache
 * Kafka, in half an hour or so. `-- NUMBER…` runs only those tests. `-- --logs FOLDER` keeps what each has printed
 * and what became of it; with it, what became of tests that are not run now is known from before. `-- --write` writes
 * the outcome of all to the page of docs. It fails when a test fails for no cause that is known.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { kafkaVersion, whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';
import { partsOf, type SuiteTest, suiteTests, whyNoLibrdkafka } from '../peers/librdkafka.ts';
import { startOurs } from '../peers/ours.ts';
import { causes } from './librdkafka-causes.ts';
import { type Judged, pageOf } from './librdkafka-page.ts';
import { type Outcome, runNumber } from './librdkafka-run.ts';

/** Members that come one after the other are expected in one generation, as Kafka's default has it. */
const common = { 'num.partitions': 4, 'group.initial.rebalance.delay.ms': 3000 };

/** How the suite wants the cluster to be in each of its scenarios. */
const scenarios = {
  default: { ...common, 'auto.create.topics.enable': true },
  noautocreate: { ...common, 'auto.create.topics.enable': false },
};

/** Kafka needs one to answer the tests of access control. It refuses nobody who is not refused by name. */
const authorizer = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': true,
};

/** Processes of the suite on each broker; nearly all of a test is waiting. */
const atOnce = 3;

const page = join(import.meta.dirname, '../../docs/reference/librdkafka-tests.md');

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean', default: false }, logs: { type: 'string' } },
  allowPositionals: true,
});
if (values.write && positionals.length > 0 && values.logs === undefined)
  throw new Error('--write is for the whole suite; the tests that are not named are taken from the folder of --logs');

const reason = whyNoLibrdkafka();
if (reason !== undefined) {
  console.error(`librdkafka's tests cannot run here: ${reason}`);
  process.exit(1);
}
const whyNoKafka = whyNoJava('server') ?? whyNoJava('tools');
if (whyNoKafka !== undefined) console.log(`without Apache Kafka: ${whyNoKafka}`);

const withJava = whyNoKafka === undefined;

const suite = suiteTests();
const chosen = suite.filter(({ number }) => positionals.length === 0 || positionals.includes(number));
const kept = values.logs === undefined ? undefined : join(values.logs, 'outcomes.json');
const outcomes = new Map<string, { ours?: Outcome; kafka?: Outcome }>(
  kept !== undefined && existsSync(kept) ? Object.entries(JSON.parse(readFileSync(kept, 'utf8'))) : [],
);
for (const [scenario, settings] of Object.entries(scenarios)) {
  const tests = chosen.filter((test) => !test.local && !test.manual && test.scenarios.includes(scenario));
  if (tests.length === 0) continue;
  const ours = await startOurs({ settings });
  const kafka = whyNoKafka === undefined ? await startKafka({ settings: { ...settings, ...authorizer } }) : undefined;
  try {
    const both = [runAll('ours', tests, scenario, ours.bootstrap)];
    if (kafka !== undefined) both.push(runAll('kafka', tests, scenario, kafka.bootstrap));
    await Promise.all(both);
    // Some tests hold times against limits, and several at once on a small machine are too slow for these.
    const again = [againAlone('ours', tests, scenario, ours.bootstrap)];
    if (kafka !== undefined) again.push(againAlone('kafka', tests, scenario, kafka.bootstrap));
    await Promise.all(again);
  } finally {
    await Promise.all([ours.stop(), kafka?.stop()]);
  }
}

const judged: Judged[] = suite.map((test) => ({ test, ...outcomes.get(test.name), cause: causes[test.name] }));
if (values.write) writeFileSync(page, pageOf(judged, whyNoKafka ?? kafkaVersion('server')));
const unknown = judged.filter(
  ({ test, ours, cause }) => chosen.includes(test) && ours?.state === 'failed' && cause === undefined,
);
for (const { test, ours } of unknown) console.log(`${test.name} fails for no known cause: ${ours?.why}`);
if (unknown.length > 0) process.exitCode = 1;

async function runAll(on: 'ours' | 'kafka', tests: readonly SuiteTest[], scenario: string, bootstrap: string) {
  const numbers = [...new Set(tests.map((test) => test.number))];
  const next = async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      const same = tests.filter((test) => test.number === number);
      for (const [name, outcome] of await runNumber(same, { bootstrap, scenario, withJava, logs: logsOf(on) })) {
        keep(on, name, outcome);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

function logsOf(on: string): string | undefined {
  return values.logs === undefined ? undefined : join(values.logs, on);
}

/** The parts of a test that failed, one by one where it has parts: the first that fails keeps the others from running. */
async function againAlone(on: 'ours' | 'kafka', tests: readonly SuiteTest[], scenario: string, bootstrap: string) {
  for (const test of tests.filter(({ name }) => outcomes.get(name)?.[on]?.state === 'failed')) {
    if (on === 'ours' && causes[test.name] !== undefined && partsOf(test).length === 0) continue;
    const options = { bootstrap, scenario, withJava, logs: logsOf(on) };
    const firstTry = outcomes.get(test.name)?.[on]?.why ?? '';
    const whole = partsOf(test).length === 0;
    const tried: [string, Outcome][] = [];
    for (const part of whole ? [undefined] : partsOf(test)) {
      for (const outcome of (await runNumber([test], { ...options, part })).values()) tried.push([part ?? '', outcome]);
    }
    keep(on, test.name, { ...together(tried), firstTry });
  }
}

function keep(on: 'ours' | 'kafka', name: string, outcome: Outcome): void {
  outcomes.set(name, { ...outcomes.get(name), [on]: outcome });
  if (kept !== undefined) {
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, JSON.stringify(Object.fromEntries(outcomes)));
  }
  console.log(`${on.padEnd(5)} ${outcome.state} ${name} ${outcome.seconds.toFixed(1)} s ${outcome.why}`);
}

function together(tried: readonly (readonly [string, Outcome])[]): Outcome {
  const failed = tried.filter(([, { state }]) => state === 'failed');
  return {
    state: failed.length > 0 ? 'failed' : 'passed',
    seconds: tried.reduce((sum, [, { seconds }]) => sum + seconds, 0),
    why: failed.map(([part, { why }]) => (part === '' ? why : `${part}: ${why}`)).join('; '),
    parts: tried.reduce((sum, [, { parts }]) => sum + parts, 0),
    skippedParts: [...new Set(tried.flatMap(([, { skippedParts }]) => skippedParts))],
  };
}
