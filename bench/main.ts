/** `npm run bench -- NAME [--json]`: runs one benchmark, or lists them. Figures are medians of the run; see docs/benchmarks.md. */
import { parseArgs } from 'node:util';
import type { Bench, Row } from './bench.ts';
import { checkpointsBench } from './checkpoints.ts';
import { kafkaBench } from './kafka.ts';
import { latencyBench } from './latency.ts';
import { logBench } from './log.ts';
import { millionKeysBench } from './million-keys.ts';
import { recoveryBench } from './recovery.ts';
import { startBench } from './start.ts';
import { stateBench } from './state.ts';
import { windowsBench } from './windows.ts';
import { wordCountBench } from './word-count.ts';

const benches: readonly Bench[] = [
  wordCountBench,
  windowsBench,
  stateBench,
  checkpointsBench,
  millionKeysBench,
  recoveryBench,
  latencyBench,
  logBench,
  startBench,
  kafkaBench,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const bench = benches.find(({ name }) => name === positionals[0]);
if (bench === undefined) {
  const width = Math.max(...benches.map(({ name }) => name.length));
  const names = benches.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
  const asked = positionals[0] === undefined ? '' : `there is no benchmark '${positionals[0]}'\n`;
  process.stderr.write(`${asked}npm run bench -- NAME [--json]\n\n${names}\n`);
  process.exitCode = 2;
} else {
  const rows = await bench.run();
  process.stdout.write(
    values.json ? `${JSON.stringify({ bench: bench.name, node: process.version, rows })}\n` : table(rows),
  );
}

function table(rows: readonly Row[]): string {
  const line = ({ what, value, unit, note }: Row) =>
    `| ${what} | ${round(value)} | ${unit}${note ? ` (${note})` : ''} |\n`;
  return `| what | value | unit |\n|---|---:|---|\n${rows.map(line).join('')}`;
}

/** Three digits that count. */
function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
