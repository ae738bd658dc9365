/** `millrace/testing`: topologies in virtual time. */
export type { SimulatedRuntime } from './runtime/simulated.ts';
export { simulatedRuntime } from './runtime/simulated.ts';
export type { Fault, FaultKind } from './testing/simulate/faults.ts';
export type { Feed, Given, SimulateOptions } from './testing/simulate/options.ts';
export { feed } from './testing/simulate/options.ts';
export type { Figures, Inputs, TimedValue } from './testing/simulate/outcome.ts';
export type { Simulated } from './testing/simulate/simulate.ts';
export { simulate } from './testing/simulate/simulate.ts';
export type { TestRun, TestRunOptions } from './testing/test-run.ts';
export { testRun } from './testing/test-run.ts';
export type { Step } from './testing/torture/scenario.ts';
export type { Came } from './testing/torture/stage.ts';
export type { Tortured, TortureOptions } from './testing/torture/torture.ts';
export { torture } from './testing/torture/torture.ts';
