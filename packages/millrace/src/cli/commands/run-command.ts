/** `millrace run`. */
import { dirname, resolve } from 'node:path';
import type { Duration } from '../../duration.ts';
import { MillraceError } from '../../errors.ts';
import { readConfig } from '../config.ts';
import { dryRunTopology } from '../dry-run.ts';
import { loadTopology } from '../load-module.ts';
import type { RunOptions } from '../run.ts';
import { runTopology } from '../run.ts';

export interface RunCommandOptions extends Omit<RunOptions, 'config' | 'kafkaPort' | 'checkpoints' | 'rename'> {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly kafka: boolean;
  readonly kafkaPort?: number;
  readonly checkpointInterval?: Duration;
  readonly checkpointPause?: Duration;
  readonly checkpointTimeout?: Duration;
  readonly retain?: number;
  readonly rename?: readonly string[];
  readonly dryRun?: boolean;
}

/** Ends the process: code of the user that keeps it alive, an open connection say, must not outlive the topology. */
export async function runCommand(module: string, { kafka, dryRun, ...given }: RunCommandOptions): Promise<void> {
  const options = { ...runOptions(given), ...(kafka ? {} : { kafkaPort: false as const }) };
  const [load, folder] = [() => loadTopology(module), dirname(resolve(module))] as const;
  const code = dryRun ? await dryRunTopology(load, folder, options) : await runTopology(load, folder, options);
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

function runOptions(given: Omit<RunCommandOptions, 'kafka' | 'dryRun'>): RunOptions {
  const { config, set, rename, checkpointInterval, checkpointPause, checkpointTimeout, retain, ...options } = given;
  const checkpoints = {
    ...(checkpointInterval === undefined ? {} : { interval: checkpointInterval }),
    ...(checkpointPause === undefined ? {} : { pause: checkpointPause }),
    ...(checkpointTimeout === undefined ? {} : { timeout: checkpointTimeout }),
    ...(retain === undefined ? {} : { retain }),
  };
  return { ...options, config: readConfig(config, set), checkpoints, rename: renames(rename) };
}

function renames(given: readonly string[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((pair) => {
      const [old, now, ...more] = pair.split('=');
      if (!old || !now || more.length > 0)
        throw new MillraceError('MR_USAGE', [`--rename ${pair}: write --rename old=new`]);
      return [old, now];
    }),
  );
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => {
    if (stream.writableLength === 0 || stream.destroyed) done();
    else stream.write('', () => done());
  });
}
