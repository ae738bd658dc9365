/**
 * librdkafka with its own test suite, built from the source that Confluent's npm package carries. Kept built in the
 * cache; where there is no npm, C++ compiler or make, `whyNoLibrdkafka` says so in one sentence.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cache } from './java.ts';

const packed = '@confluentinc/kafka-javascript@1.10.1';

/** Named by what is built and how: another source, or another way to build it, gets a folder of its own. */
const folder = join(cache, 'librdkafka-1.10.1-one-replica');
export const suiteFolder = join(folder, 'tests');
export const librdkafkaSource = `the npm package ${packed}`;

const longest = 600_000;

export interface SuiteTest {
  /** The number by which it is chosen; several tests may share one. */
  readonly number: string;
  readonly name: string;
  /** Talks to librdkafka's built-in mock cluster, or to nobody. */
  readonly local: boolean;
  /** Started by hand, by who looks at something; judges nothing by itself. */
  readonly manual: boolean;
  /** Cluster configurations in which it runs; 'default' has topics made when they are asked for. */
  readonly scenarios: readonly string[];
  readonly knownIssue: boolean;
}

/** Why the suite cannot run here; undefined when it can. Builds it on the first call, which takes two minutes. */
export function whyNoLibrdkafka(): string | undefined {
  if (existsSync(join(suiteFolder, 'test-runner'))) return undefined;
  for (const [tool, purpose] of Object.entries({
    npm: 'brings the source of librdkafka',
    tar: 'unpacks the source of librdkafka',
    make: 'builds librdkafka',
    'g++': 'compiles the tests of librdkafka',
    python3: 'is needed to link librdkafka',
  })) {
    if (spawnSync(tool, ['--version']).error) return `there is no ${tool} on the path, which ${purpose}`;
  }
  try {
    build();
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

/** Built beside its place and moved there whole, so that what is in place is complete. */
function build(): void {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    run('npm', ['pack', packed, '--silent', '--pack-destination', fresh], fresh);
    const tarball = join(fresh, 'confluentinc-kafka-javascript-1.10.1.tgz');
    run('tar', ['-xzf', tarball, '-C', fresh, '--strip-components=3', 'package/deps/librdkafka'], fresh);
    rmSync(tarball);
    oneReplica(join(fresh, 'tests/test.c'));
    // Libraries that a machine may have or not are left out, so that every machine builds the same.
    const without = ['--disable-gssapi', '--disable-curl', '--disable-zstd', '--disable-lz4-ext', '--disable-syslog'];
    run('./configure', without, fresh);
    run('make', ['-j2', 'libs'], fresh);
    run('make', ['-j2', '-C', 'tests', 'build'], fresh);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
}

/** The suite has topics on three brokers for most transactions. On one they have one replica, which is its only change. */
function oneReplica(file: string): void {
  const wanted = 'rd_kafka_NewTopic_new(topicname, partition_cnt, replication_factor,';
  const source = readFileSync(file, 'utf8');
  if (!source.includes(wanted)) throw new Error(`${file} makes topics in another way than is known here`);
  writeFileSync(file, source.replace(wanted, 'rd_kafka_NewTopic_new(topicname, partition_cnt, 1,'));
}

/** Functions of a test that it reports by themselves, by the name that chooses one. */
export function partsOf({ number }: SuiteTest): string[] {
  const files = readdirSync(suiteFolder).filter((file) => file.startsWith(`${number}-`) && /\.c(pp)?$/.test(file));
  const sources = files.map((file) => readFileSync(join(suiteFolder, file), 'utf8'));
  const functions = /^(?:static )?void\s+((?:do_)?test_\w+)\([^;{]*\{([\s\S]*?)^\}/gm;
  const parts = sources.flatMap((source) => [...source.matchAll(functions)]);
  return [...new Set(parts.filter(([, , body]) => body?.includes('SUB_TEST')).map(([, name = '']) => name))];
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: longest,
    maxBuffer: 1 << 28,
  });
  if (!error && status === 0) return;
  const said = error?.message ?? `${stdout.slice(-1500)}\n${stderr.slice(-1500)}`;
  throw new Error(`librdkafka was not built: ${command} ${args.join(' ')} failed: ${said}`);
}

export function librdkafkaVersion(): string {
  const config = readFileSync(join(folder, 'Makefile.config'), 'utf8');
  return /MKL_APP_VERSION\s*[:+?]?=\s*"?([\w.-]+)/.exec(config)?.[1] ?? 'unknown';
}

/** Every test that the suite declares, in its order. */
export function suiteTests(): SuiteTest[] {
  const source = readFileSync(join(suiteFolder, 'test.c'), 'utf8');
  const table = /^struct test tests\[\] = \{([\s\S]*?)^\};/m.exec(source)?.[1] ?? '';
  const tests: SuiteTest[] = [];
  for (const [, name = '', rest = ''] of table.matchAll(/_TEST\(\s*(\w+),([\s\S]*?)\)(?=,\s*(?:_TEST|\/\*|#|\{))/g)) {
    tests.push({
      number: /^\d+/.exec(name)?.[0] ?? name,
      name,
      local: rest.includes('TEST_F_LOCAL') || name.endsWith('_mock'),
      manual: rest.includes('TEST_F_MANUAL'),
      scenarios: (/\.scenario\s*=\s*"([^"]*)"/.exec(rest)?.[1] ?? 'default').split(','),
      knownIssue: /TEST_F_KNOWN_ISSUE\b/.test(rest),
    });
  }
  return tests;
}
