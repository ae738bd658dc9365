/** What goes wrong in a simulation: plain data that follows from the seed, so that it can be printed, cut down and replayed. */

/** When: at `at` ms of virtual time, and `steps` steps of the process later; so it falls between any two of its steps. */
interface When {
  readonly at: number;
  readonly steps: number;
}

export type Fault =
  /** The process is killed; what it has written stays. The next one starts `down` ms later. */
  | ({ readonly kind: 'crash'; readonly down: number } & When)
  /** The machine loses its power: of what was not synced any part may be gone. */
  | ({ readonly kind: 'powerCut'; readonly down: number } & When)
  /** The process stands still and is taken for dead: another starts after `down` ms, and it wakes up after `away` ms. */
  | ({ readonly kind: 'zombie'; readonly down: number; readonly away: number } & When)
  /** The process stands still for a while, and nobody else starts. */
  | ({ readonly kind: 'stall'; readonly lasts: number } & When)
  /** It is stopped in good order, and started again, with other parallelism where that may change. */
  | ({ readonly kind: 'restart'; readonly down: number } & When)
  /** Its spouts give nothing for a while; or somebody asks for a checkpoint. */
  | ({ readonly kind: 'deactivate'; readonly lasts: number } & When)
  | ({ readonly kind: 'checkpoint' } & When)
  /** It is drained, so that event time ends and nothing is kept, and started anew. */
  | ({ readonly kind: 'drain'; readonly down: number } & When)
  /** Syncs take `lasts` ms at most, writes find the disk full, or one sync fails. */
  | { readonly kind: 'slowDisk'; readonly at: number; readonly lasts: number; readonly by: number }
  | { readonly kind: 'fullDisk'; readonly at: number; readonly lasts: number }
  | { readonly kind: 'failedSync'; readonly at: number }
  /** The wall clock of the machine jumps. */
  | { readonly kind: 'clock'; readonly at: number; readonly by: number }
  /** A sink that is modelled does as it is told, and its answer is lost, or late, or it refuses. `sink` counts all of them. */
  | { readonly kind: 'lostAck'; readonly at: number; readonly lasts: number; readonly sink: number }
  | {
      readonly kind: 'lateAck';
      readonly at: number;
      readonly lasts: number;
      readonly by: number;
      readonly sink: number;
    }
  | { readonly kind: 'refusal'; readonly at: number; readonly lasts: number; readonly sink: number }
  /** User code of some component throws, so many times. */
  | { readonly kind: 'throws'; readonly at: number; readonly times: number; readonly component: number }
  /** The next input comes twice, `by` ms late, or in front of it comes one that nobody can read. */
  | { readonly kind: 'doubled'; readonly at: number }
  | { readonly kind: 'late'; readonly at: number; readonly by: number }
  | { readonly kind: 'poison'; readonly at: number };

export type FaultKind = Fault['kind'];

/** By default all but these, which change what comes out: a model must know, or a topology that does not mind. */
export const ASKED_FOR: readonly FaultKind[] = ['doubled', 'late', 'poison', 'drain'];

const WEIGHTS: { readonly [K in FaultKind]: number } = {
  crash: 6,
  powerCut: 4,
  zombie: 3,
  stall: 1,
  restart: 2,
  deactivate: 1,
  checkpoint: 1,
  drain: 2,
  slowDisk: 1,
  fullDisk: 1,
  failedSync: 1,
  clock: 1,
  lostAck: 2,
  lateAck: 2,
  refusal: 2,
  throws: 1,
  doubled: 1,
  late: 1,
  poison: 1,
};
export const FAULT_KINDS = Object.keys(WEIGHTS) as readonly FaultKind[];

/** Some faults of these kinds, by time, all begun before `lasts` ms. */
export function faultsOf(random: () => number, kinds: readonly FaultKind[], lasts: number): readonly Fault[] {
  if (kinds.length === 0) return [];
  const count = 1 + Math.floor(random() * 10);
  const whole = (most: number) => Math.floor(random() * most);
  const faults = Array.from({ length: count }, () => faultOf(pick(random, kinds), whole(lasts), whole, random));
  return faults.sort((a, b) => a.at - b.at);
}

function pick(random: () => number, kinds: readonly FaultKind[]): FaultKind {
  const sum = kinds.reduce((all, kind) => all + WEIGHTS[kind], 0);
  let left = random() * sum;
  for (const kind of kinds) {
    left -= WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return kinds.at(-1)!;
}

function faultOf(kind: FaultKind, at: number, whole: (most: number) => number, random: () => number): Fault {
  // Often a few steps, within what happens at one moment; sometimes many.
  const steps = random() < 0.7 ? whole(60) : whole(600);
  const down = 50 + whole(400);
  switch (kind) {
    case 'crash':
    case 'powerCut':
    case 'restart':
    case 'drain':
      return { kind, at, steps, down };
    case 'zombie':
      return { kind, at, steps, down, away: down + whole(1500) };
    case 'stall':
    case 'deactivate':
      return { kind, at, steps, lasts: 100 + whole(2000) };
    case 'checkpoint':
      return { kind, at, steps };
    case 'slowDisk':
      return { kind, at, lasts: 100 + whole(1500), by: 20 + whole(400) };
    case 'lateAck':
      return { kind, at, lasts: 100 + whole(1500), by: 20 + whole(600), sink: whole(100) };
    case 'fullDisk':
      return { kind, at, lasts: 20 + whole(1000) };
    case 'lostAck':
    case 'refusal':
      return { kind, at, lasts: 20 + whole(600), sink: whole(100) };
    case 'clock':
      return { kind, at, by: (random() < 0.5 ? -1 : 1) * (1 + whole(20_000)) };
    case 'throws':
      return { kind, at, times: 1 + whole(3), component: whole(1000) };
    case 'late':
      return { kind, at, by: 1 + whole(5000) };
    case 'failedSync':
    case 'doubled':
    case 'poison':
      return { kind, at };
  }
}

/** In one line, as it would be written in a test. */
export function faultText(fault: Fault): string {
  const { kind, at, ...rest } = fault;
  const details = Object.entries(rest).map(([name, value]) => `, ${name}: ${String(value)}`);
  return `{ kind: '${kind}', at: ${at}${details.join('')} }`;
}
