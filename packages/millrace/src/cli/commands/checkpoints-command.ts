/** `millrace checkpoints` and `millrace savepoint`: of the running topology, or of what a stopped one has left. */
import { resolve } from 'node:path';
import { formatDuration, formatTime } from '../../duration.ts';
import type { CheckpointStatus } from '../../engine/running.ts';
import { epochText } from '../../topology/epoch.ts';
import type { KeptCheckpoint, KeptCheckpoints } from '../api.ts';
import { byteText, counted, latencyText, tableLines } from '../table.ts';
import { print, printJson } from '../terminal.ts';
import { shortPath } from '../user-frames.ts';
import type { DataOptions } from './with-data.ts';
import { withData } from './with-data.ts';

export async function listCheckpoints(options: DataOptions): Promise<void> {
  const all = await withData(options, (access) => access.call('checkpoints.list', {}));
  if (options.json) return printJson(all);
  if (all.length === 0) return print('no checkpoints yet: a topology with state or a transactional sink makes them');
  print(...all.flatMap((of, at) => [...(at === 0 ? [] : ['']), ...checkpointLines(of, Date.now())]));
}

export async function makeSavepoint(
  directory: string | undefined,
  { topology, ...options }: DataOptions & { readonly topology?: string },
): Promise<void> {
  const params = {
    beside: resolve(),
    ...(directory === undefined ? {} : { directory: resolve(directory) }),
    ...(topology === undefined ? {} : { topology }),
  };
  const made = await withData(options, (access) => access.call('savepoint', params));
  if (options.json) return printJson(made);
  const path = shortPath(made.directory);
  print(
    `savepoint of ${made.topology}, checkpoint ${made.checkpoint} of ${formatTime(made.at)}: ${path}`,
    `'millrace run MODULE --from ${path}' goes on from it`,
  );
}

const HEAD = [
  { title: 'CHECKPOINT' },
  { title: 'TIME' },
  ...['AGE', 'SIZE', 'KEYS', 'OUTPUTS'].map((title) => ({ title, right: true })),
];

export function checkpointLines(of: KeptCheckpoints, now: number, columns?: number): string[] {
  const { topology, kept, problem, status } = of;
  const rows = kept.map((one) => [
    one.checkpoint,
    formatTime(one.at),
    formatDuration(Math.max(0, now - one.at)),
    byteText(one.bytes),
    one.keys,
    outputsOf(one),
  ]);
  const ended = kept[0]?.finished === true && status === undefined;
  return [
    status === undefined
      ? `${topology} does not run`
      : `${topology} makes a checkpoint every ${formatDuration(status.interval)}`,
    ...(rows.length === 0 ? ['none is kept yet'] : tableLines(HEAD, rows, columns)),
    ...(problem === undefined ? [] : [`The next start is refused: ${problem}`]),
    ...(ended ? ['It had come to its end, so the next start begins anew.'] : []),
    ...(status === undefined ? [] : statusLines(status)),
  ];
}

const outputsOf = ({ outputs }: KeptCheckpoint) => Object.values(outputs).reduce((sum, n) => sum + n, 0);

function statusLines({ restored, completed, failed, took, current, unpublished }: CheckpointStatus): string[] {
  const { epochs, bytes } = unpublished;
  return [
    `since its start${restored === undefined ? '' : ` from ${epochText(restored)}`}: ${counted(completed, 'checkpoint')}, ${failed} failed`,
    ...(took.count === 0
      ? []
      : [
          `from begin to durable: p50 ${latencyText(took.p50)}, p99 ${latencyText(took.p99)}, at most ${latencyText(took.max)}`,
        ]),
    ...(current === undefined ? [] : [`under way for ${formatDuration(current.since)}${waiting(current.waitsFor)}`]),
    ...(epochs === 0 ? [] : [`${counted(epochs, 'epoch')} (${byteText(bytes)}) wait to be published`]),
  ];
}

/** So many tasks are named. */
const MOST = 5;

function waiting(tasks: readonly string[]): string {
  if (tasks.length === 0) return ': all tasks have taken part';
  const left = tasks.length - MOST;
  return `, waiting for ${tasks.slice(0, MOST).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
}
