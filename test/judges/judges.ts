/**
 * The judges: other people's clients, each with a program beside this file that puts a broker to the test. What a judge
 * needs beyond this repository's packages is fetched once into a folder that git ignores; where that cannot be, the
 * judge says why, and is left out with that reason.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache, javaCommand, kafkaVersion, whyNoJava } from '../peers/java.ts';

export interface Judge {
  readonly name: string;
  /** Why it cannot judge here; undefined when it can. Fetches what it needs. */
  readonly missing: () => string | undefined;
  readonly version: () => string;
  readonly command: (bootstrap: string) => readonly [string, ...string[]];
}

export interface Verdict {
  /** `area/what`. */
  readonly check: string;
  readonly result: 'ok' | 'not ok' | 'skip';
  /** Of a failure or a skip. */
  readonly why: string;
}

const within = 240_000;
const here = (file: string): string => join(import.meta.dirname, file);
const root = here('../..');

export const judges: readonly Judge[] = [
  {
    name: 'kcat',
    missing: () =>
      spawnSync('kcat', ['-V']).error
        ? 'there is no kcat on the path (Debian, Ubuntu: apt-get install kcat)'
        : undefined,
    version: () =>
      /Version (\S+).*(librdkafka [\d.]+)/
        .exec(spawnSync('kcat', ['-V'], { encoding: 'utf8' }).stdout)
        ?.slice(1)
        .join(', ') ?? '',
    command: (bootstrap) => [process.execPath, fileURLToPath(new URL('./kcat.ts', import.meta.url)), bootstrap],
  },
  inPython('confluent-kafka', 'confluent-kafka.py'),
  inPython('kafka-python', 'kafka-python.py'),
  inPython('aiokafka', 'aio-kafka.py'),
  inNode('kafkajs', new URL('./kafkajs.ts', import.meta.url)),
  inNode('@platformatic/kafka', new URL('./platformatic.ts', import.meta.url)),
  {
    name: 'Java clients',
    missing: () => whyNoJava('server'),
    version: () => kafkaVersion('server'),
    command: (bootstrap) => javaCommand('server', here('java-clients.java'), [bootstrap]),
  },
  {
    name: 'Apache Kafka’s tools',
    missing: () => whyNoJava('server') ?? whyNoJava('tools'),
    version: () => kafkaVersion('tools'),
    command: (bootstrap) => [process.execPath, fileURLToPath(new URL('./apache-tools.ts', import.meta.url)), bootstrap],
  },
];

function inNode(name: string, url: URL): Judge {
  return {
    name,
    missing: () => undefined,
    version: () =>
      (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string })
        .version,
    command: (bootstrap) => [process.execPath, fileURLToPath(url), bootstrap],
  };
}

function inPython(name: string, program: string): Judge {
  return {
    name,
    missing: whyNoPython,
    version: () => new RegExp(`^${name}==(.*)$`, 'm').exec(readFileSync(requirements, 'utf8'))?.[1] ?? '',
    command: (bootstrap) => [join(pythonFolder(), 'bin/python'), here(program), bootstrap],
  };
}

const requirements = here('requirements.txt');

function pythonFolder(): string {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  return join(cache, `python-${digest}`);
}

/** Makes an environment of Python's own with the clients in it, once. */
function whyNoPython(): string | undefined {
  const folder = pythonFolder();
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return undefined;
  if (spawnSync('python3', ['--version']).error) return 'there is no python3 on the path';
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const steps: readonly [string, ...string[]][] = [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements],
  ];
  for (const [command, ...args] of steps) {
    const done = spawnSync(command, args, { encoding: 'utf8', timeout: within });
    if (done.status !== 0) return `\`${command} ${args.slice(0, 3).join(' ')}\` failed: ${lastWords(done)}`;
  }
  writeFileSync(complete, '');
  return undefined;
}

function lastWords({ error, stdout, stderr }: SpawnSyncReturns<string>): string {
  return error?.message ?? (stderr || stdout).trim().split('\n').at(-1) ?? 'it said nothing';
}

/** What the judge says of the broker at `bootstrap`; a judge that breaks off has failed the check it was at. */
export async function ask(judge: Judge, bootstrap: string): Promise<Verdict[]> {
  const [command, ...args] = judge.command(bootstrap);
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let complained = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained = (complained + text).slice(-4000);
  });
  const late = setTimeout(() => child.kill('SIGKILL'), within);
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(signal ? `${signal}, after ${within} ms at the most` : `code ${code}`),
    );
  });
  clearTimeout(late);
  const verdicts = printed.split('\n').flatMap(read);
  const begun = printed
    .split('\n')
    .filter((line) => line.startsWith('# '))
    .map((line) => line.slice(2));
  const open = begun.filter((check) => !verdicts.some((verdict) => verdict.check === check));
  for (const check of open) verdicts.push({ check, result: 'not ok', why: `the judge ended with ${end} in it` });
  if (verdicts.length === 0 || (end !== 'code 0' && verdicts.every(({ result }) => result !== 'not ok')))
    verdicts.push({ check: 'judge/ends well', result: 'not ok', why: `it ended with ${end}: ${complained}` });
  return verdicts;
}

function read(line: string): Verdict[] {
  const [, result, check, why = ''] = /^(ok|not ok|skip) (\w+\/.*?)(?:: (.*))?$/.exec(line) ?? [];
  if (check === undefined) return [];
  return [{ check, result: result as Verdict['result'], why }];
}
