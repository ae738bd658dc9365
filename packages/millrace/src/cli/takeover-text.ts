/** What a start would take over from a checkpoint, for people: what `--dry-run` prints. */
import type { CheckpointInfo } from '../checkpoints/checkpoint-store.ts';
import type { ComponentTakeover, PartTakeover, TakeoverPlan } from '../checkpoints/takeover.ts';
import { formatDuration, formatTime } from '../duration.ts';
import { epochText } from '../topology/epoch.ts';
import { counted, groupedDigits, tableLines } from './table.ts';

export interface DryRun {
  readonly topology: string;
  readonly plan: TakeoverPlan;
  /** Wall-clock milliseconds of the checkpoint. */
  readonly at: number;
  /** Keys by component of the checkpoint. */
  readonly keys: ReadonlyMap<string, number>;
  /** Checkpoints that are kept and that came after it: they would be given up. */
  readonly givenUp: readonly CheckpointInfo[];
}

export function dryRunLines({ topology, plan, at, keys, givenUp }: DryRun, now: number, columns?: number): string[] {
  const checkpoint = `checkpoint ${epochText(plan.epoch)} of ${formatTime(at)} (${formatDuration(Math.max(0, now - at))} ago)`;
  if (plan.finished)
    return [`${topology} had come to its end at ${checkpoint}: it would begin anew, with empty state.`];
  const from = plan.topology === topology ? '' : ` of topology '${plan.topology}'`;
  const rows = plan.components.map((one) => [one.component, FATES[one.fate], detail(one, keys)]);
  return [
    `${topology} would go on from ${checkpoint}${from}:`,
    '',
    ...tableLines([{ title: 'COMPONENT' }, { title: 'STATE' }, { title: 'DETAILS' }], rows, columns),
    ...plan.unused.map((name) => `'${name}' names nothing that is in the checkpoint.`),
    ...(givenUp.length === 0 ? [] : ['', ...againLines(givenUp)]),
  ];
}

/** The same for scripts. */
export function dryRunJson({ topology, plan, at, keys, givenUp }: DryRun): object {
  const { epoch, finished, components, unused, problems } = plan;
  return {
    topology,
    checkpoint: epochText(epoch),
    of: plan.topology,
    at,
    finished,
    components: components.map(({ component, kind, fate, from, parts, tasks, count }) => ({
      component,
      kind,
      fate,
      ...(from === undefined ? {} : { from }),
      tasks,
      ...(kind === 'bolt' ? { keys: keys.get(from ?? component) ?? 0, parts } : { count }),
    })),
    unused,
    problems: problems.map(({ code, message }) => ({ code, message })),
    givenUp: givenUp.map(({ epoch, facts }) => ({ checkpoint: epochText(epoch), outputs: facts.outputs })),
  };
}

const FATES = {
  taken: 'goes on',
  migrated: 'migrated',
  dropped: 'dropped',
  new: 'new',
  missing: 'MISSING',
} as const satisfies { readonly [F in ComponentTakeover['fate']]: string };

function detail({ component, kind, fate, from, parts, tasks, count }: ComponentTakeover, keys: DryRun['keys']): string {
  const was = from !== undefined && from !== component ? `was '${from}'; ` : '';
  if (fate === 'missing') return 'it is in the checkpoint, and not in the topology';
  if (fate === 'dropped') return kind === 'spout' ? 'its positions are given up' : 'what was kept of it is given up';
  if (fate === 'new') return kind === 'spout' ? 'begins where a first start begins' : 'begins empty';
  if (kind === 'spout') return `${was}at the positions of ${counted(count, 'split')}`;
  if (kind === 'sink') return 'publishes what is not published yet';
  const spread = tasks === 1 ? '' : ` for ${tasks} tasks, by key group`;
  return `${was}${[counted(keys.get(from!) ?? 0, 'key') + spread, ...parts.map(partText)].join('; ')}`;
}

function partText({ name, what, fate, was, is }: PartTakeover): string {
  const named = what === 'timer' ? `timer ${name}` : name;
  if (fate === 'migrated') return `${named} from version ${was} to ${is}`;
  return fate === 'taken' ? named : `${named} ${fate === 'new' ? 'begins empty' : 'dropped'}`;
}

function againLines(givenUp: readonly CheckpointInfo[]): string[] {
  const outputs = new Map<string, number>();
  for (const { facts } of givenUp)
    for (const [sink, n] of Object.entries(facts.outputs)) outputs.set(sink, (outputs.get(sink) ?? 0) + n);
  const sinks = [...outputs].map(([sink, n]) => `'${sink}' ${groupedDigits(n)}`);
  return [
    `What came after it is given up: ${counted(givenUp.length, 'checkpoint')} of those that are kept.`,
    'Records after it are read again, and what comes of them is published a second time' +
      (sinks.length === 0 ? '.' : `, of these checkpoints alone: ${sinks.join(', ')}.`),
  ];
}
