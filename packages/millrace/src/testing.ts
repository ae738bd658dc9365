/** `millrace/testing`: topologies in virtual time. */
export type { SimulatedRuntime } from './runtime/simulated.ts';
export { simulatedRuntime } from './runtime/simulated.ts';
export type { TestRun, TestRunOptions } from './testing/test-run.ts';
export { testRun } from './testing/test-run.ts';
