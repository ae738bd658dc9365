/** The receipt for people: in full with what its words mean, and in short, as a run says it at its start. */
import type { Path, PathGuarantee, Receipt } from '../topology/receipt.ts';
import { counted, tableLines } from './table.ts';

const MEANS: { readonly [G in PathGuarantee]: string } = {
  'exactly-once': 'each record counts once in state and in what the sink shows, whatever fails',
  convergent: 'rows are written by key at once: after a failure older ones may be seen again, until they are right',
  'at-least-once': 'nothing is lost; what was under way at a failure may be done and written again',
  'at-most-once': 'nothing is done twice; what was under way at a failure is lost',
};

const KEEPS: { readonly [K in Receipt['keeps']]: string } = {
  checkpoints: 'State, positions and outputs are saved together, in checkpoints.',
  acking: 'There is no state to save: each record is followed to its end, and given again if it was lost (acking).',
  nothing: 'Nothing is saved but how far the sources have been read: state begins empty at each start.',
};

const HEAD = [{ title: 'FROM' }, { title: 'TO' }, { title: 'GUARANTEE' }, { title: 'BECAUSE' }];

export function receiptLines({ topology, asked, keeps, paths }: Receipt, columns?: number): string[] {
  const rows = paths.map((path) => [path.spout, path.end, path.guarantee, because(path) ?? '']);
  const words = (Object.keys(MEANS) as PathGuarantee[]).filter((word) => paths.some((path) => path.guarantee === word));
  const width = Math.max(0, ...words.map((word) => word.length));
  const remedies = new Set(paths.flatMap(({ limits }) => limits.map(({ remedy }) => remedy)));
  return [
    `${topology}: ${asked === undefined ? 'each path gets the most that it allows' : `${asked} was asked for`}.`,
    KEEPS[keeps],
    '',
    ...tableLines(HEAD, rows, columns),
    '',
    ...words.map((word) => `${word.padEnd(width)}  ${MEANS[word]}`),
    ...(remedies.size > 0 ? ['', 'For more:', ...[...remedies].map((remedy) => `- ${remedy}`)] : []),
    '',
    'What a bolt itself does to the outside world (a request, a file) is under no guarantee: it may be done again.',
  ];
}

/** So many paths are shown at a start. */
const MOST = 8;

export function shortReceipt({ topology, paths }: Receipt): string[] {
  const ways = paths.slice(0, MOST).map(({ spout, end }) => `${spout} → ${end}`);
  const width = Math.max(0, ...ways.map((way) => way.length));
  const lines = ways.map((way, at) => {
    const path = paths[at]!;
    const why = path.limits.map((limit) => limit.why).join('; ');
    return `${way.padEnd(width)}  ${path.guarantee}${why === '' ? '' : `: ${why}`}`;
  });
  const left = paths.length - ways.length;
  if (left > 0) lines.push(`and ${counted(left, 'path')} more: 'millrace receipt' shows all of '${topology}'`);
  return lines.length === 0 ? ['no path leads anywhere: nobody takes what the spouts give'] : lines;
}

function because({ limits, note }: Path): string | undefined {
  return limits.length === 0 ? note : limits.map(({ why }) => why).join('; ');
}
