/** `millrace run`. */
import { dirname, resolve } from 'node:path';
import { readConfig } from '../config.ts';
import { loadTopology } from '../load-module.ts';
import type { RunOptions } from '../run.ts';
import { runTopology } from '../run.ts';

export interface RunCommandOptions extends Omit<RunOptions, 'config' | 'kafkaPort'> {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly kafka: boolean;
  readonly kafkaPort?: number;
}

/** Ends the process: code of the user that keeps it alive, an open connection say, must not outlive the topology. */
export async function runCommand(module: string, { config, set, kafka, ...options }: RunCommandOptions): Promise<void> {
  const around = { ...options, ...(kafka ? {} : { kafkaPort: false as const }), config: readConfig(config, set) };
  const code = await runTopology(() => loadTopology(module), dirname(resolve(module)), around);
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => {
    if (stream.writableLength === 0 || stream.destroyed) done();
    else stream.write('', () => done());
  });
}
