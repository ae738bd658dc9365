/**
 * Law 5 as a whole: random topologies under crashes, stops, zombies, disks that fail or take long, checkpoints that are given
 * up and other numbers of tasks give what a run without all that gives. MILLRACE_RUNS says how many (default 100),
 * MILLRACE_SEED which ones.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { Running } from '../running.ts';
import { World } from './pipeline.fixture.ts';
import type { PipelineSpec, Value } from './random-pipeline.fixture.ts';
import { pipelineSpec, RandomPipeline } from './random-pipeline.fixture.ts';

const RUNS = Number(process.env.MILLRACE_RUNS ?? 100);
const SEED = Number(process.env.MILLRACE_SEED ?? 1);

const from = (min: number, max: number) => fc.integer({ min, max });
const faultsSpec = fc.record({
  seed: fc.nat(),
  /** How each life but the last one ends, and after how many ms. `zombie`: the next one starts while it goes on. */
  ends: fc.array(fc.record({ after: from(1, 120), how: fc.constantFrom('kill', 'kill', 'stop', 'zombie') }), {
    maxLength: 5,
  }),
  interval: from(2, 50),
  timeout: fc.constantFrom(10, 25, 60_000, 60_000),
  bytes: fc.constantFrom(200, 1e6),
  total: fc.constantFrom(400, 1e7),
  epochs: fc.constantFrom(1, 2, 100),
  /** Percent of completions and publications that fail, and the longest time (ms) that they take. */
  fails: fc.constantFrom(0, 0, 30),
  slow: fc.constantFrom(0, 0, 20),
});
type Faults = typeof faultsSpec extends fc.Arbitrary<infer T> ? T : never;

interface Outcome {
  readonly tables: { readonly [sink: string]: readonly Value[] };
  readonly sets: { readonly [sink: string]: readonly string[] };
  readonly lost: readonly string[];
  readonly violations: readonly string[];
}

async function run(spec: PipelineSpec, faults: Faults | undefined): Promise<Outcome> {
  const world = new World();
  // A topology that has come to its end begins anew when it is started again: so one that is killed must not end by itself.
  const isBounded = faults === undefined || faults.ends.length === 0;
  const pipeline = new RandomPipeline(spec, isBounded);
  const random = seededRandom(faults?.seed ?? 1);
  const below = (n: number) => Math.floor(random() * n);
  const hinder = async () => {
    if (faults === undefined) return;
    if (faults.slow > 0) await new Promise((resolve) => setTimeout(resolve, below(faults.slow)));
    if (below(100) < faults.fails) throw new Error('the disk refuses');
  };
  world.checkpoints.complete = hinder;
  pipeline.writing = hinder;
  for (const table of pipeline.tables.values()) table.publishing = hinder;
  const { interval = 20, timeout = 60_000, bytes = 1e6, total = 1e7, epochs = 100, ends = [] } = faults ?? {};
  const start = () => {
    const tasks = faults === undefined ? () => 1 : () => 1 + below(3);
    return world.start(pipeline.build(tasks), { interval, timeout, outbox: { bytes, total, epochs } });
  };
  const zombies: Running[] = [];
  let running = await start();
  for (const { after, how } of ends) {
    await world.runtime.advance(after);
    if (how === 'zombie') zombies.push(running);
    // A stop fails where the disk refuses its last checkpoint: it is as good as a kill then.
    else await world.runtime.until(world.runtime.within(() => running[how as 'kill' | 'stop']().catch(() => {})));
    running = await start();
  }
  for (let lives = 0; running.state !== 'completed' && running.state !== 'stopped'; lives++) {
    assert.ok(lives < 20, 'it fails without a reason');
    if (lives > 0) running = await start();
    for (let ms = 0; !pipeline.isTaken && running.state === 'active'; ms += 10) {
      assert.ok(ms < 60_000, 'it stands still');
      await world.runtime.advance(10);
    }
    const ending = isBounded ? running.done : world.runtime.within(() => running.stop({ drain: true }));
    await world.runtime.until(ending.catch(() => {}));
  }
  for (const zombie of zombies) await zombie.kill();
  await world.runtime.advance(1000);
  return {
    tables: Object.fromEntries([...pipeline.tables].map(([id, { rows }]) => [id, rows])),
    sets: Object.fromEntries([...pipeline.sets].map(([id, paths]) => [id, [...paths].toSorted()])),
    lost: world.ledger
      .list({ limit: 1e9 })
      .map(({ id }) => id)
      .toSorted(),
    violations: pipeline.violations,
  };
}

const paths = (tables: Outcome['tables']) =>
  Object.fromEntries(Object.entries(tables).map(([id, rows]) => [id, rows.map(({ path }) => path).toSorted()]));

/** Of each way and key: values that came before what they should have come after. */
function disorder({ tables }: Outcome): string[] {
  const found: string[] = [];
  for (const [id, rows] of Object.entries(tables)) {
    const last = new Map<string, Value>();
    for (const row of rows) {
      if (!row.inOrder) continue;
      const line = `${row.chain} ${row.key}`;
      const before = last.get(line);
      if (before !== undefined && !isAfter(row, before)) found.push(`${id}: ${row.path} after ${before.path}`);
      last.set(line, row);
    }
  }
  return found;
}

function isAfter({ places }: Value, before: Value): boolean {
  const at = places.findIndex((place, i) => place !== before.places[i]);
  return at >= 0 && places[at]! > before.places[at]!;
}

test('what comes out under faults is what comes out without, to the last value, and in order', async () => {
  await fc.assert(
    fc.asyncProperty(pipelineSpec, faultsSpec, async (spec, faults) => {
      const expected = await run(spec, undefined);
      const outcome = await run(spec, faults);
      assert.deepEqual(paths(outcome.tables), paths(expected.tables));
      assert.deepEqual(outcome.sets, expected.sets);
      assert.deepEqual(outcome.lost, expected.lost);
      assert.deepEqual([expected.violations, outcome.violations], [[], []]);
      assert.deepEqual([disorder(expected), disorder(outcome)], [[], []]);
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: process.env.MILLRACE_SHRINK === undefined },
  );
});
