/**
 * Apache Kafka's own Java code as Maven brings it: what of it is here, and how one of its classes is run. Where there is
 * no Java, no Maven or no way to Maven Central, `whyNoJava` says so in one sentence, and whoever asks may skip with it.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** `server`: the broker and the newest Java clients. `tools`: the command-line tools, with the clients of their version. */
export type Parts = 'server' | 'tools';

const pom = join(import.meta.dirname, 'pom.xml');
const oldestJava = 17;

/** Where what was brought from outside is kept from run to run; git ignores it. */
export const cache = join(import.meta.dirname, '.cache');

export function kafkaVersion(parts: Parts): string {
  return new RegExp(`<${parts}\\.version>(.*)</`).exec(readFileSync(pom, 'utf8'))?.[1] ?? 'unknown';
}

/** Why Apache Kafka cannot run here; undefined when it can. Fetches it on the first call, which may take a minute. */
export function whyNoJava(parts: Parts): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (java.error)
    return `there is no java on the path; Apache Kafka ${kafkaVersion(parts)} needs ${oldestJava} or newer`;
  const version = Number(/version "(\d+)/.exec(java.stderr)?.[1]);
  if (!(version >= oldestJava)) return `java is version ${version}; Apache Kafka needs ${oldestJava} or newer`;
  if (keptClassPath(parts) !== undefined) return undefined;
  if (spawnSync('mvn', ['--version']).error) return 'there is no mvn on the path, which brings Apache Kafka';
  try {
    classPath(parts);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

const keptFile = (parts: Parts): string => {
  const digest = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  return join(cache, `${parts}-${digest}.classpath`);
};

/** The class path of an earlier run, unless its files have gone since. */
function keptClassPath(parts: Parts): string | undefined {
  const file = keptFile(parts);
  if (!existsSync(file)) return undefined;
  const kept = readFileSync(file, 'utf8').trim();
  return kept.split(':').every((jar) => existsSync(jar)) ? kept : undefined;
}

export function classPath(parts: Parts): string {
  const kept = keptClassPath(parts);
  if (kept !== undefined) return kept;
  mkdirSync(cache, { recursive: true });
  const file = keptFile(parts);
  const fresh = `${file}.${process.pid}`;
  const args = ['-q', '-B', '-Dstyle.color=never', '-f', pom, '-P', parts, `-Dmdep.outputFile=${fresh}`];
  const maven = spawnSync('mvn', [...args, 'dependency:build-classpath'], { encoding: 'utf8', timeout: 300_000 });
  if (maven.error || maven.status !== 0) {
    const said = /\[ERROR\] .*/.exec(maven.stdout)?.[0] ?? maven.error?.message ?? maven.stderr;
    throw new Error(`Maven did not bring Apache Kafka ${kafkaVersion(parts)} (${parts}): ${said}`);
  }
  renameSync(fresh, file);
  return readFileSync(file, 'utf8').trim();
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  /** What the program reads from its standard input. */
  readonly input?: string;
  /** Milliseconds after which it is killed and counts as stuck. */
  readonly within?: number;
}

/** The command line that runs a class of Apache Kafka, or a single `.java` file of ours. */
export function javaCommand(parts: Parts, main: string, args: readonly string[]): [string, ...string[]] {
  // The first compiler is enough for what lives some seconds, and leaves the cores to the broker.
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m'];
  return ['java', ...flags, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath(parts), main, ...args];
}

/** Runs one of Apache Kafka's tools to its end; throws only when it is stuck. */
export function runTool(main: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', within = 60_000 } = options;
  const [java, ...rest] = javaCommand('tools', main, args);
  return new Promise((resolve, reject) => {
    const child = execFile(
      java,
      rest,
      { timeout: within, killSignal: 'SIGKILL', maxBuffer: 1 << 28 },
      (_error, stdout, stderr) => {
        if (child.signalCode === 'SIGKILL')
          reject(new Error(`${main} ${args.join(' ')} did not end within ${within} ms\n${stdout}\n${stderr}`));
        else resolve({ code: child.exitCode, stdout, stderr });
      },
    );
    // A program that ends before it has read all of its input is no failure of its own.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
