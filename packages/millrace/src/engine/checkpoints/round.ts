/**
 * One checkpoint from its barrier to its files. While the barrier is on its way, each task that it comes to gives its part:
 * a snapshot of its state is begun there and then, and written afterwards, in slices, while the flow goes on.
 */
import type {
  CheckpointFacts,
  CheckpointStore,
  CheckpointWriter,
  SplitPosition,
} from '../../checkpoints/checkpoint-store.ts';
import type { MillraceError } from '../../errors.ts';
import type { StateSnapshot } from '../../state/keyed-store.ts';
import type { Barrier, TaskPart } from '../barrier.ts';
import type { Worker } from '../worker.ts';
import type { OutboxChunk } from './outbox-task.ts';

/** How long (ms) saving may keep the thread, and how many keys are saved between two looks at the clock. */
const SLICE = 1;
const KEYS = 128;

/** What has been given, and belongs to the next checkpoint that is completed. */
export interface Given {
  /** By sink, in order. */
  readonly outputs: Map<string, OutboxChunk[]>;
  /** By task. */
  readonly completed: Map<string, () => void | Promise<void>>;
}

interface TaskState {
  readonly component: string;
  readonly task: number;
  readonly watermark: number;
  readonly snapshot: StateSnapshot;
}

/** Of the facts, those that the tasks say. */
export type Said = Pick<CheckpointFacts, 'sources' | 'watermarks' | 'outputs'>;

export class Round implements Barrier {
  readonly number: number;
  /** Nothing comes after it: there is nothing to go on with. */
  readonly finishes: boolean;
  /** Monotonic milliseconds. */
  readonly since: number;
  readonly given: Given;
  readonly #worker: Worker;
  /** Components whose state is to be saved whole. */
  readonly #whole: ReadonlySet<string>;
  /** `component[task]` of those that have not taken part. */
  readonly #missing: Set<string>;
  readonly #states: TaskState[] = [];
  readonly #sources: { [component: string]: { readonly [split: string]: SplitPosition } };
  readonly #everywhere: () => void;
  #givenUp = false;

  /** `sources`: positions of splits that no task may name. `carried`: what belonged to earlier ones that were given up. `everywhere`: all tasks have taken part. */
  constructor(options: {
    readonly worker: Worker;
    readonly number: number;
    readonly finishes: boolean;
    readonly tasks: Iterable<readonly [component: string, task: number]>;
    readonly whole: ReadonlySet<string>;
    readonly sources: CheckpointFacts['sources'];
    readonly carried: Given;
    readonly everywhere: () => void;
  }) {
    this.number = options.number;
    this.finishes = options.finishes;
    this.#worker = options.worker;
    this.#whole = options.whole;
    this.#sources = { ...options.sources };
    this.given = options.carried;
    this.since = options.worker.runtime.clock.monotonic();
    this.#missing = new Set([...options.tasks].map(([component, task]) => nameOf(component, task)));
    this.#everywhere = options.everywhere;
  }

  get waitsFor(): readonly string[] {
    return [...this.#missing];
  }
  get givenUp(): boolean {
    return this.#givenUp;
  }

  passed(component: string, task: number, { state, splits, outputs, completed }: TaskPart): void {
    if (!this.#missing.delete(nameOf(component, task))) throw new Error(`${nameOf(component, task)} took part twice`);
    if (state !== undefined && !this.#givenUp) this.#begin(component, task, state);
    if (splits !== undefined) this.#sources[component] = { ...this.#sources[component], ...Object.fromEntries(splits) };
    if (outputs !== undefined) {
      const before = this.given.outputs.get(component);
      if (before === undefined) this.given.outputs.set(component, [...outputs]);
      else before.push(...outputs);
    }
    if (completed !== undefined) this.given.completed.set(nameOf(component, task), completed);
    if (this.#missing.size === 0) this.#everywhere();
  }

  #begin(component: string, task: number, { store, watermark }: NonNullable<TaskPart['state']>): void {
    try {
      const snapshot = store.snapshot(this.#whole.has(component) ? 'all' : 'changes');
      this.#states.push({ component, task, watermark, snapshot });
    } catch (thrown) {
      this.#worker.fail(thrown as MillraceError); // what is kept of it elsewhere cannot be read
    }
  }

  /** It will not be kept: the next one has what this one would have had. */
  giveUp(): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    for (const { snapshot } of this.#states) snapshot.abandon();
  }

  said(): Said {
    const watermarks: { [component: string]: number } = {};
    for (const { component, watermark } of this.#states)
      watermarks[component] = Math.min(watermarks[component] ?? Infinity, watermark);
    const outputs: { [sink: string]: number } = {};
    for (const [sink, chunks] of this.given.outputs)
      if (chunks.length > 0) outputs[sink] = chunks.reduce((sum, { entries }) => sum + entries.length, 0);
    return { sources: this.#sources, watermarks, outputs };
  }

  /**
   * Hands everything over, in slices; what is left is to complete it. 'nothing': nobody's state has changed, and there is no
   * other `news`. 'given up': that happened meanwhile, or the topology has ended.
   */
  async save(store: CheckpointStore, news: boolean): Promise<CheckpointWriter | 'nothing' | 'given up'> {
    let writer: CheckpointWriter | undefined;
    const named = new Set<string>();
    const begun = (component?: string): CheckpointWriter => {
      if (component !== undefined) named.add(component);
      writer ??= store.begin(this.number);
      return writer;
    };
    try {
      this.#states.sort((a, b) => (a.component < b.component ? -1 : a.component > b.component ? 1 : a.task - b.task));
      for (const { component, snapshot } of this.#states) {
        while (!snapshot.done && !this.#stopped) await this.#slice(component, snapshot, begun);
      }
      if (!this.#stopped) await this.#worker.recorded();
      if (writer === undefined && !news && !this.#stopped) return 'nothing';
      if (!this.#stopped) {
        // Those of which nothing has changed are to stay.
        for (const { component, snapshot } of this.#states) {
          if (!named.has(component)) begun().state(component, snapshot.shapes, snapshot.what, []);
          named.add(component);
        }
        for (const [sink, chunks] of this.given.outputs) {
          if (chunks.length > 0)
            begun().outputs(
              sink,
              chunks.map(({ bytes }) => bytes),
            );
        }
        return begun();
      }
    } catch (thrown) {
      writer?.abandon();
      throw thrown;
    }
    writer?.abandon();
    return 'given up';
  }

  get #stopped(): boolean {
    return this.#givenUp || this.#worker.dead;
  }

  async #slice(
    component: string,
    snapshot: StateSnapshot,
    writer: (component: string) => CheckpointWriter,
  ): Promise<void> {
    const { clock, timers } = this.#worker.runtime;
    const until = clock.monotonic() + SLICE;
    do {
      const keys = snapshot.advance(KEYS);
      if (keys.length > 0) writer(component).state(component, snapshot.shapes, snapshot.what, keys);
    } while (!snapshot.done && clock.monotonic() < until);
    if (!snapshot.done) await new Promise<void>((resolve) => timers.soon(resolve));
  }
}

function nameOf(component: string, task: number): string {
  return `${component}[${task}]`;
}
