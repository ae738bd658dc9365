/**
 * A real topology in a real process, killed with SIGKILL again and again at random moments under load, then left to
 * finish: what came out must be what the model says, to the last record.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../../packages/millrace/src/runtime/seeded-random.ts';
import { Child } from './child.ts';
import type { Ground } from './ground.ts';
import { AT_WORK } from './jobs/at-work.ts';
import { linesOf, type Outputs, rowsOf } from './outputs.ts';
import { Reading, readByKcat } from './reading.ts';
import type { Expected, Scenario } from './scenario.ts';

export interface KillSettings {
  readonly scenario: Scenario;
  readonly ground: Ground;
  /** Where its tables and files go. */
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  /** Lines of input. */
  readonly perSecond: number;
  /** Between checkpoints, as `--checkpoint-interval` has it. */
  readonly interval?: string;
  /** Of so many kills one kills the broker as well, where the ground has one to kill. */
  readonly brokerEach?: number;
  readonly say: (text: string) => void;
}

export interface KillReport {
  readonly kills: number;
  readonly brokerKills: number;
  readonly lines: number;
  /** Records, rows and lines that were compared. */
  readonly compared: number;
  /** From the start of the process to its first work, in milliseconds, the slowest. */
  readonly slowestRecovery: number;
  readonly kcat: boolean;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

const within = ({ from, to }: Span, random: () => number): number => from + (to - from) * random();

/** Milliseconds: after the job has begun to work, after it has said that it starts, after its process was made. */
const UNDER_LOAD: Span = { from: 50, to: 600 };
const RECOVERING: Span = { from: 0, to: 120 };
const STARTING: Span = { from: 10, to: 400 };
/** For how long the job goes on after its broker was killed and is there again: it may not have noticed yet. */
const WITHOUT_BROKER: Span = { from: 0, to: 500 };
/** Nothing more has come out for so long: nothing more will. */
const STANDSTILL = 60_000;

export async function killAgainAndAgain(settings: KillSettings): Promise<KillReport> {
  const { scenario, ground, kills, seed, folder, say } = settings;
  const random = seededRandom(seed);
  const feed = ground.feed(scenario, settings.perSecond);
  const recoveries: number[] = [];
  let brokerKills = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const job = start(settings);
    const moment = await nextMoment(job, random);
    if (moment.recovered !== undefined) recoveries.push(moment.recovered);
    const isBrokers = ground.killBroker !== undefined && kill % (settings.brokerEach ?? Infinity) === 0;
    if (isBrokers) {
      brokerKills++;
      await ground.killBroker!();
      await pause(within(WITHOUT_BROKER, random));
    }
    await killJob(job);
    say(`kill ${kill} of ${kills}: ${moment.when}${isBrokers ? ', the broker just before' : ''}`);
  }
  const lines = await feed.finish();
  const expected = await scenario.expect(lines);
  await finish(settings, expected);
  const kcat = await compare(settings, lines, expected, outputsIn(folder));
  return {
    kills,
    brokerKills,
    lines,
    compared: expected.size,
    slowestRecovery: Math.max(0, ...recoveries),
    kcat,
  };
}

function start({ scenario, ground, folder, interval }: KillSettings): Child {
  const config = { ...ground.config, ...scenario.config(folder) };
  const sets = Object.entries(config).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]);
  const every = interval === undefined ? [] : ['--checkpoint-interval', interval];
  return Child.millrace('the job', ['run', scenario.module, ...ground.args, ...every, ...sets]);
}

interface Moment {
  readonly when: string;
  /** From the start of the process to its first work, if that was waited for. */
  readonly recovered?: number;
}

/** A fifth while it starts, a fifth while it recovers, the others under load. */
async function nextMoment(job: Child, random: () => number): Promise<Moment> {
  const wait = async (span: Span, since: string) => {
    const delay = within(span, random);
    await pause(delay);
    return `${Math.round(delay)} ms ${since}`;
  };
  const kind = random();
  if (kind < 0.2) return { when: await wait(STARTING, 'after its process was made') };
  await job.says(/^topology /m);
  if (kind < 0.4) return { when: await wait(RECOVERING, 'into its start') };
  await job.says(new RegExp(`^${AT_WORK}$`, 'm'));
  const recovered = performance.now() - job.began;
  return { when: await wait(UNDER_LOAD, 'after its first work'), recovered };
}

async function killJob(job: Child): Promise<void> {
  const ended = job.end;
  await job.kill();
  if (ended !== undefined) throw new Error(`before it was killed, ${job.failure}`);
}

/** Lets it run until everything has come out, and ends it in good order. */
async function finish(settings: KillSettings, expected: Expected): Promise<void> {
  const { scenario, ground, folder } = settings;
  const job = start(settings);
  const reading = await Reading.open(await ground.bootstrapOf(job), scenario.topics);
  const outputs = { ...outputsIn(folder), topic: (name: string) => reading.topic(name) };
  let [missing, since] = [Infinity, performance.now()];
  while (missing > 0) {
    await pause(50);
    if (job.end !== undefined) throw new Error(job.failure);
    const now = expected.missing(outputs);
    // What is missing is said by the comparison.
    if (now === missing && performance.now() - since > STANDSTILL) break;
    if (now !== missing) [missing, since] = [now, performance.now()];
  }
  await reading.close();
  const { code } = await job.kill('SIGTERM');
  if (code !== 0) throw new Error(job.failure);
  if (missing > 0) settings.say(`at least ${missing} of ${expected.size} outputs are missing\n${job.output}`);
  assert.doesNotMatch(job.output, /went to the ledger/);
}

const outputsIn = (folder: string): Omit<Outputs, 'topic'> => {
  return { table: (name) => rowsOf(folder, name), files: () => linesOf(folder) };
};

/** Whether kcat has looked as well. */
async function compare(
  { scenario, ground }: KillSettings,
  lines: number,
  expected: Expected,
  local: Omit<Outputs, 'topic'>,
): Promise<boolean> {
  const bootstrap = await ground.readable();
  const input = scenario.input.topic;
  const reading = await Reading.open(bootstrap, [input, ...scenario.topics]);
  let byKcat = false;
  try {
    for (const topic of [input, ...scenario.topics]) await reading.all(topic);
    const sent = (reading.topic(input) as readonly { readonly n: number }[]).map(({ n }) => n).sort((a, b) => a - b);
    const all = Array.from({ length: lines + scenario.closing(lines).length }, (_, n) => n);
    assert.deepEqual(sent, all, `the numbers in ${input}`);
    expected.check({ ...local, topic: (name) => reading.topic(name) });
    for (const topic of scenario.topics) {
      const lines = await readByKcat(bootstrap, topic);
      if (lines === undefined) continue;
      byKcat = true;
      const partitionOf = (line: string) => Number(line.slice(0, line.indexOf(' ')));
      const inOrder = lines.toSorted((a, b) => partitionOf(a) - partitionOf(b));
      assert.deepEqual(inOrder, reading.lines(topic), `${topic} as kcat reads it`);
    }
  } finally {
    await reading.close();
  }
  return byKcat;
}
