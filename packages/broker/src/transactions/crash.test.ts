import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError } from '../errors.ts';
import { type FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { settled } from './coordinator.fixture.ts';
import { Client, Load, TIMEOUT } from './load.fixture.ts';

/**
 * The power goes, or the process is killed, at every operation of a scripted load: commits, aborts, time-outs, fencing,
 * transactions that interleave. `load.fixture.ts` says what must hold after each.
 */
interface Cast {
  readonly a: Client;
  readonly b: Client;
}

async function script(load: Load, { a, b }: Cast): Promise<void> {
  await load.open();
  await Promise.all([load.start(a), load.start(b)]);
  await load.produce(a, 0);
  await Promise.all([load.produce(a, 1), load.produce(b, 0), load.commitOffsets(b)]);
  await load.commitOffsets(a);
  await Promise.all([load.end(a, true), load.end(b, false)]);
  await load.produce(b, 1);
  await load.produce(a, 0);
  await load.end(b, true);
  load.clock.advance(TIMEOUT);
  await settled();
  await load.start(a).catch(concurrent);
  await load.produce(a, 1);
  await load.commitOffsets(a);
  const rival = new Client('a');
  await load.start(rival).catch(concurrent);
  await load.start(rival);
  await load.produce(rival, 0);
  await load.end(a, true);
  await load.commitOffsets(rival);
  await load.end(rival, true);
  await load.produce(b, 0);
  await load.produce(b, 1);
  await load.close();
  await load.open();
  await load.end(b, true);
  await load.close();
}

/** What a fenced client or one that meets an open transaction is told. */
function concurrent(error: unknown): void {
  if (!(error instanceof LogError) || !['CONCURRENT_TRANSACTIONS', 'PRODUCER_FENCED'].includes(error.code)) throw error;
}

async function until(cutAt: number | undefined): Promise<{ load: Load; cast: Cast }> {
  const load = new Load();
  const cast = { a: new Client('a'), b: new Client('b') };
  load.storage.cutAt = cutAt;
  try {
    await script(load, cast);
  } catch (error) {
    if (cutAt === undefined || error instanceof assert.AssertionError) throw error;
  }
  return { load, cast };
}

/** Recovers; the clients come back and ask again for what they got no answer to. */
async function goOn(load: Load, { a, b }: Cast, found: FaultyStorage): Promise<void> {
  load.storage = found;
  await load.open();
  for (const client of [a, b]) if (client.attempt?.outcome === 'unknown') await load.end(client, true);
  await load.verify();
  await load.close();
}

test('wherever the power goes, what was committed is there whole, what was not is not, and nothing hangs', async () => {
  const { load: calm } = await until(undefined);
  const operations = calm.storage.operations;
  assert.equal(calm.attempts.filter(({ outcome }) => outcome === 'committed').length, 4, 'the script commits');
  await calm.open();
  await calm.verify();
  assert.ok(operations > 100, `the load has only ${operations} operations`);
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    for (let seed = 0; seed < 2; seed++) {
      const { load, cast } = await until(cutAt);
      const random = seededRandom(cutAt * 1000 + seed);
      try {
        let found = load.storage.afterPowerCut(random);
        if (seed === 1) found = await cutAgain(load, found, random);
        await goOn(load, cast, found);
        await goOn(load, cast, load.storage.afterPowerCut(random));
      } catch (error) {
        throw new Error(`cut at operation ${cutAt} of ${operations}, seed ${seed}`, { cause: error });
      }
    }
  }
});

/** The power goes once more, while the decisions are carried out again. */
async function cutAgain(load: Load, found: FaultyStorage, random: () => number): Promise<FaultyStorage> {
  found.cutAt = 1 + Math.floor(random() * 30);
  load.storage = found;
  try {
    await load.open();
    await settled();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
  return found.afterPowerCut(random);
}

test('wherever the process is killed, the same holds', async () => {
  const { load: calm } = await until(undefined);
  for (let cutAt = 1; cutAt <= calm.storage.operations; cutAt++) {
    const { load, cast } = await until(cutAt);
    try {
      await goOn(load, cast, load.storage.afterKill());
    } catch (error) {
      throw new Error(`killed at operation ${cutAt}`, { cause: error });
    }
  }
});
