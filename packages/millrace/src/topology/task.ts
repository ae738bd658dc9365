/** What every task of a component is given: its place, the clock, randomness, the log, and the resources of the run. */

/** Names something that a run offers to its tasks (the log, files, sockets), found with `task.use`. */
export interface Resource<out T> {
  readonly name: string;
  /** Only for the compiler. */
  readonly offers?: T;
}

export interface Task {
  /** The topology's name. */
  readonly topology: string;
  readonly component: string;
  /** Unique in the topology, from 1, as in Storm. */
  readonly id: number;
  /** 0 to `parallelism` − 1. */
  readonly index: number;
  readonly parallelism: number;
  /** Wall-clock milliseconds; virtual in tests. */
  now(): number;
  random(): number;
  /** A line for the person who runs the topology. */
  log(text: string): void;
  /** How many tasks a component has: what an emit on a direct stream may name. 0 if there is no such component. */
  tasksOf(component: string): number;
  /** What the run offers under this name; MR_RESOURCE if nothing. */
  use<T>(resource: Resource<T>): T;
}
