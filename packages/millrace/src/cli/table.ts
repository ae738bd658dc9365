/**
 * Tables for people: aligned columns, cut to the terminal; on a terminal too narrow for columns, one field per line.
 * In a pipe nothing is cut, and what is to be typed again, such as an id, nowhere.
 */
import { styleText } from 'node:util';
import { cutText, textWidth, visible } from './text-width.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
  /** Never cut: the terminal wraps it instead. */
  readonly whole?: boolean;
}
export type Cell = string | number | undefined;

const GAP = '  ';
/** A column is cut no shorter than this. */
const SHORTEST = 8;

/** `columns` undefined: as wide as need be. */
export function tableLines(
  head: readonly Column[],
  rows: readonly (readonly Cell[])[],
  columns: number | undefined = process.stdout.isTTY ? process.stdout.columns || 80 : undefined,
): string[] {
  const texts = rows.map((row) => head.map((_, at) => cellText(row[at])));
  const widths = head.map(({ title }, at) => Math.max(textWidth(title), ...texts.map((row) => textWidth(row[at]!))));
  if (columns !== undefined && !fit(head, widths, columns)) return stacked(head, texts, columns);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => padded(cutText(cell, widths[at]!), widths[at]!, head[at]!.right))
      .join(GAP)
      .trimEnd();
  const title = line(head.map((column) => column.title));
  return [styleText('dim', title), ...texts.map(line)];
}

/** Shortens the widest columns that may be cut until the row fits; false when it cannot. */
function fit(head: readonly Column[], widths: number[], columns: number): boolean {
  const total = () => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  while (total() > columns) {
    const widest = widths.indexOf(Math.max(0, ...widths.filter((_, at) => !head[at]!.whole)));
    if (widest < 0 || widths[widest]! <= SHORTEST) return false;
    widths[widest] = widths[widest]! - 1;
  }
  return true;
}

function stacked(head: readonly Column[], rows: readonly (readonly string[])[], columns: number): string[] {
  const label = Math.max(...head.map(({ title }) => textWidth(title)));
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : ['']),
    ...row.map((cell, at) => {
      const line = `${styleText('dim', padded(head[at]!.title, label))}${GAP}${cell}`;
      return head[at]!.whole ? line : cutText(line, columns);
    }),
  ]);
}

function padded(text: string, width: number, right = false): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return right ? space + text : text + space;
}

function cellText(cell: Cell): string {
  if (cell === undefined) return '–';
  return typeof cell === 'number' ? groupedDigits(cell) : visible(cell);
}

/** 1234567 as '1 234 567'. */
export function groupedDigits(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

/** '0', '850 B', '12.4 MB'. */
export function byteText(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (value < 1000) return value === 0 ? '0' : `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

/** A latency in milliseconds, to about three digits: '0.42 ms', '12.4 ms', '1.25 s'; nothing when nothing was measured. */
export function latencyText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

/** '1 record', '2 records'. */
export function counted(n: number, what: string): string {
  return `${groupedDigits(n)} ${what}${n === 1 ? '' : 's'}`;
}
