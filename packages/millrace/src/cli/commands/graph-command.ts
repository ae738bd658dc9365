/** `millrace graph`. */
import { readConfig } from '../config.ts';
import { loadTopology } from '../load-module.ts';
import { mermaid } from '../mermaid.ts';
import { printJson } from '../terminal.ts';

export interface GraphOptions {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

export async function graphCommand(module: string, { config, set, json }: GraphOptions): Promise<void> {
  const { plan } = (await loadTopology(module)).build(readConfig(config, set));
  if (json) printJson(plan);
  else process.stdout.write(mermaid(plan));
}
