/**
 * Runs tests of librdkafka's suite against a broker, each alone and within a time, and reads from what the suite prints
 * what became of them: of the test, and of the parts it is made of.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layKafkaHome } from '../peers/kafka-home.ts';
import { type SuiteTest, suiteFolder } from '../peers/librdkafka.ts';

export interface Outcome {
  readonly state: 'passed' | 'skipped' | 'failed';
  readonly seconds: number;
  /** Of what was skipped or failed, as the suite says it. */
  readonly why: string;
  /** How many parts of the test passed, and those that it skipped, with the suite's reason. */
  readonly parts: number;
  readonly skippedParts: readonly string[];
  /** Of a test that was tried twice: why the first try failed. */
  readonly firstTry?: string;
}

interface RunOptions {
  readonly bootstrap: string;
  readonly scenario: string;
  /** Whether Apache Kafka's own tools and clients may be called, as a few tests want to. */
  readonly withJava: boolean;
  /** Runs only this part. */
  readonly part?: string | undefined;
  /** Where each test's whole output is put. */
  readonly logs?: string | undefined;
}

/**
 * The version that the broker is said to have. Tests that need more are of share groups, and say so by themselves; from
 * 4.0 on, the suite knows that old formats of messages are gone.
 */
const suiteVersion = '4.1.0';

/** The suite's time-outs are for larger machines: some tests start twenty JVMs. */
const patience = 3;

/** In ms. The longest test takes nearly ten minutes; what the suite does not end itself by then is stuck. */
const longest = 1_200_000;

/** Runs every test with this number in this scenario, and says what became of each. */
export function runNumber(tests: readonly SuiteTest[], options: RunOptions): Promise<Map<string, Outcome>> {
  const number = tests[0]?.number ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'millrace-librdkafka-'));
  const conf = join(folder, 'test.conf');
  writeFileSync(
    conf,
    `bootstrap.servers=${options.bootstrap}\ntest.topic.random=true\ntest.timeout.multiplier=${patience}\n`,
  );
  const home = join(folder, 'kafka');
  if (options.withJava) layKafkaHome(home);
  const env = {
    PATH: process.env.PATH,
    ...(options.withJava ? { KAFKA_PATH: home, BROKERS: options.bootstrap } : {}),
    LD_LIBRARY_PATH: `${join(suiteFolder, '../src')}:${join(suiteFolder, '../src-cpp')}`,
    RDKAFKA_TEST_CONF: conf,
    TEST_KAFKA_VERSION: suiteVersion,
    TESTS: number,
    // Looked for in `function:line`, so that a name which begins another is not both.
    ...(options.part === undefined ? {} : { SUBTESTS: `${options.part}:` }),
  };
  const began = performance.now();
  return new Promise((resolve) => {
    execFile(
      join(suiteFolder, 'test-runner'),
      // One at a time, and in full, as the quick form leaves whole tests empty; none that need no broker, none with a known issue of librdkafka's own.
      ['-p1', '-L', '-K', '-s', options.scenario],
      { cwd: suiteFolder, env, timeout: longest, killSignal: 'SIGKILL', maxBuffer: 1 << 30 },
      (error, stdout, stderr) => {
        rmSync(folder, { recursive: true, force: true });
        const seconds = (performance.now() - began) / 1000;
        const output = `${stdout}\n${stderr}`;
        if (options.logs !== undefined) {
          mkdirSync(options.logs, { recursive: true });
          writeFileSync(join(options.logs, `${number}-${options.scenario}${options.part ?? ''}.log`), output);
        }
        const ended = error?.killed ? `stuck: killed after ${longest / 1000} s` : String(error?.message ?? '');
        resolve(new Map(tests.map((test) => [test.name, outcomeOf(test.name, output, ended, seconds)])));
      },
    );
  });
}

/** biome-ignore lint/suspicious/noControlCharactersInRegex: the suite colours what it prints. */
const colours = /\u001b\[[0-9;]*m/g;

export function outcomeOf(name: string, printed: string, ended: string, seconds: number): Outcome {
  const output = printed.replace(colours, '');
  const parts = [...output.matchAll(/\[ (?:\S+:\d+)(?:: [^\n]*)?: PASS \([\d.]+s\) \]/g)].length;
  const skippedParts = [...output.matchAll(/\[ (\w+):\d+(?:: [^\n]*?)?: SKIP: ([^\n]*?)\s*\]\n/g)].map(
    ([, part = '', reason = '']) => `${part}: ${reason}`,
  );
  const rest = { parts, skippedParts };
  const row = new RegExp(`^\\| ${name} +\\| +(\\w+) \\| +([\\d.]+)s \\| ?(.*)$`, 'm').exec(output);
  if (row === null) return { state: 'failed', seconds, why: firstComplaint(output) || ended || 'no summary', ...rest };
  const [, state = '', took = '0', why = ''] = row;
  if (state === 'PASSED') return { state: 'passed', seconds: Number(took), why: '', ...rest };
  if (state === 'SKIPPED') return { state: 'skipped', seconds: Number(took), why: why.trim(), ...rest };
  return {
    state: 'failed',
    seconds: Number(took) || seconds,
    why: firstComplaint(output) || why.trim() || ended,
    ...rest,
  };
}

/** The first complaint is the cause; what follows it is the suite giving up. */
function firstComplaint(output: string): string {
  const complaint = /### Test "[^"]*"[^\n]*failed at [^\n]*###\s*\n?([^\n]*(?:\n(?!\[|###|%)[^\n]+){0,2})/.exec(output);
  if (complaint !== null) return (complaint[1] ?? '').replace(/\s+/g, ' ').trim();
  return '';
}
