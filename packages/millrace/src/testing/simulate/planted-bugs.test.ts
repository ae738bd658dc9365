import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { plantedBugs } from './planted.fixture.ts';
import { simulatePlanted } from './simulate.ts';
import { scenarios } from './topologies/all.ts';

for (const [name, { scenario, within, faults, planted, plant }] of Object.entries(plantedBugs)) {
  test(`found within ${within} seeds: ${name}`, async () => {
    const { topology, options } = scenarios[scenario]!;
    const undo = plant?.();
    try {
      for (let seed = 1; seed <= within; seed++) {
        const given = { ...options(seededRandom(seed)), seed, shrink: false, ...(faults && { faults }) };
        try {
          await simulatePlanted(topology, given, planted);
        } catch (thrown) {
          assert.equal((thrown as { code?: unknown }).code, 'MR_SIMULATION');
          return;
        }
      }
    } finally {
      undo?.();
    }
    assert.fail(`not found in ${within} seeds`);
  });
}

test('without faults nothing is found in an engine without mistakes', async () => {
  for (const { topology, options } of Object.values(scenarios))
    await simulatePlanted(topology, { ...options(seededRandom(1)), faults: [] }, {});
});
