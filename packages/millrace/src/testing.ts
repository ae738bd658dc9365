/** `millrace/testing`: topologies in virtual time. */
export type { SimulatedRuntime } from './runtime/simulated.ts';
export { simulatedRuntime } from './runtime/simulated.ts';
export type { TestRun, TestRunOptions } from './testing/test-run.ts';
export { testRun } from './testing/test-run.ts';
export type { Step } from './testing/torture/scenario.ts';
export type { Came } from './testing/torture/stage.ts';
export type { Tortured, TortureOptions } from './testing/torture/torture.ts';
export { torture } from './testing/torture/torture.ts';
