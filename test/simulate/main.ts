/**
 * `npm run simulate`: many seeds of our own topologies, one after the other, with the figures in the end.
 *
 *     npm run simulate -- --seeds 10000 --from 1 --topology word-count
 *
 * Without a topology the seeds go round all of them. Each seed that fails is printed with its trace and its faults.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../../packages/millrace/src/runtime/seeded-random.ts';
import type { Figures } from '../../packages/millrace/src/testing/simulate/outcome.ts';
import { simulate } from '../../packages/millrace/src/testing/simulate/simulate.ts';
import { scenarios } from '../../packages/millrace/src/testing/simulate/topologies/all.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    topology: { type: 'string' },
  },
});
const [seeds, from] = [Number(values.seeds), Number(values.from)];
const names = values.topology === undefined ? Object.keys(scenarios) : [values.topology];
if (!Number.isInteger(seeds) || !Number.isInteger(from) || names.some((name) => scenarios[name] === undefined)) {
  console.error(`--seeds and --from are whole numbers, --topology is one of ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}

const began = performance.now();
const sums = { time: 0, faults: 0, restarts: 0, checkpoints: 0, published: 0, steps: 0 };
const kinds = new Map<string, number>();
let failed = 0;
let shown = 0;

function add(figures: Figures): void {
  for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += figures[name];
}

function line(done: number): string {
  const hours = (sums.time / 3_600_000).toFixed(1);
  const real = ((performance.now() - began) / 1000).toFixed(0);
  return `${done} of ${seeds} seeds, ${failed} failed; ${hours} simulated hours in ${real} s; ${sums.faults} faults, ${sums.restarts} restarts, ${sums.checkpoints} checkpoints, ${sums.published} epochs published, ${sums.steps} steps`;
}

for (let i = 0; i < seeds; i++) {
  const seed = from + i;
  const name = names[seed % names.length]!;
  const { topology, options } = scenarios[name]!;
  try {
    const { figures, faults } = await simulate(topology, { ...options(seededRandom(seed)), seed });
    add(figures);
    for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  } catch (thrown) {
    failed++;
    console.log(
      `${name}, seed ${seed}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
    );
  }
  if (performance.now() - shown > 2000) {
    shown = performance.now();
    process.stderr.write(process.stderr.isTTY ? `\r${line(i + 1)}` : '');
  }
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
console.log(line(seeds));
console.log(
  [...kinds]
    .sort((a, b) => b[1] - a[1])
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', '),
);
process.exitCode = failed > 0 ? 1 : 0;
