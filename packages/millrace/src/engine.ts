/** `millrace/engine`: runs a topology module in its own process, and what a run offers to the tasks of a topology. */
import type { RunOptions } from './cli/run.ts';

export type { CheckpointSettings } from './cli/checkpoint-settings.ts';
export type { RunOptions } from './cli/run.ts';
export type { ComponentEventTime, Explanation } from './engine/explanation.ts';
export { explanationText } from './engine/explanation-text.ts';
export type {
  Asked,
  CheckpointStatus,
  CompletedCheckpoint,
  ComponentMetrics,
  Running,
  StopOptions,
  TopologyMetrics,
} from './engine/running.ts';
export type { Screen } from './runtime/resources.ts';
export { screenResource as screen } from './runtime/resources.ts';
export type { Epoch } from './topology/epoch.ts';
export type { Guarantee, Limit, Path, PathGuarantee, Receipt } from './topology/receipt.ts';

/**
 * Runs the topology that the calling module exports by default, until it ends:
 *
 *     if (import.meta.main) await run(import.meta.url);
 *
 * The module is loaded a second time for it. Never rejects: a failure is written to standard error and sets the exit
 * code, as with `millrace run`.
 */
export async function run(moduleUrl: string, options?: RunOptions): Promise<void> {
  // Loaded when it runs: a module that only exports a topology should cost nothing more.
  const cli = await import('./cli/run.ts');
  await cli.run(moduleUrl, options);
}
