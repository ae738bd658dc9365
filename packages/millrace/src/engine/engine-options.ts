/** What a topology runs with. */
import type { Ledger } from '../ledger/ledger.ts';
import type { Runtime } from '../runtime/runtime.ts';

export type Guarantee = 'at-most-once' | 'at-least-once';

export interface EngineOptions {
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  /** What `task.use` finds, by resource name. */
  readonly resources: ReadonlyMap<string, unknown>;
  readonly guarantee: Guarantee;
  /** Deep-freeze every emitted and stored value (law 10): in tests and in dev. */
  readonly freeze: boolean;
  /** Encode and decode every value on every edge, as between workers. */
  readonly encodeEdges: boolean;
  /** Lines from tasks and from the engine, for the person who runs it. */
  readonly log: (component: string | undefined, text: string) => void;
}
