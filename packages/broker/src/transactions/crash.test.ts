import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError } from '../errors.ts';
import { type FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { settled } from './coordinator.fixture.ts';
import { Client, Load, LocalClient, TIMEOUT } from './load.fixture.ts';

/**
 * The power goes, or the process is killed, at every operation of a scripted load: commits, aborts, time-outs, fencing,
 * transactions that interleave, of clients and of producers in the process itself. `load.fixture.ts` says what must hold after each.
 */
interface Cast {
  readonly a: Client;
  readonly b: Client;
  readonly local: LocalClient;
}

type Script = (load: Load, cast: Cast) => Promise<void>;

const remote: Script = async (load, { a, b }) => {
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
};

const inProcess: Script = async (load, { a, local }) => {
  const heir = new LocalClient('local');
  const all = (...work: Promise<void>[]) => load.patiently(Promise.all(work));
  await load.open();
  await all(load.start(a), load.startLocal(local));
  await all(load.produce(a, 0), load.publish(local));
  await all(load.publish(local), load.startLocal(heir));
  await all(load.publish(heir), load.publish(local), load.end(a, true));
  await load.close();
  await load.open();
  await all(load.startLocal(heir));
  await all(load.publish(heir));
  await load.close();
};

/** What a fenced client or one that meets an open transaction is told. */
function concurrent(error: unknown): void {
  if (!(error instanceof LogError) || !['CONCURRENT_TRANSACTIONS', 'PRODUCER_FENCED'].includes(error.code)) throw error;
}

async function until(script: Script, cutAt?: number): Promise<{ load: Load; cast: Cast }> {
  const load = new Load();
  const cast = { a: new Client('a'), b: new Client('b'), local: new LocalClient('local') };
  load.storage.cutAt = cutAt;
  try {
    await script(load, cast);
  } catch (error) {
    if (cutAt === undefined || error instanceof assert.AssertionError) throw error;
  }
  return { load, cast };
}

/** Recovers; the clients come back and ask again for what they got no answer to, and those in the process go on. */
async function goOn(load: Load, { a, b, local }: Cast, found: FaultyStorage): Promise<void> {
  load.storage = found;
  await load.open();
  for (const client of [a, b]) if (client.attempt?.outcome === 'unknown') await load.end(client, true);
  if (load.attempts.some(({ group }) => group.startsWith(local.transactionalId))) {
    await load.startLocal(local);
    await load.publish(local);
  }
  await load.verify();
  await load.close();
}

/** With an odd seed the power goes a second time. */
async function cutEverywhere(script: Script, commits: number, seeds: readonly number[]): Promise<void> {
  const { load: calm } = await until(script);
  const operations = calm.storage.operations;
  assert.equal(calm.attempts.filter(({ outcome }) => outcome === 'committed').length, commits, 'the script commits');
  await calm.open();
  await calm.verify();
  assert.ok(operations > 100, `the load has only ${operations} operations`);
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    for (const seed of seeds) {
      const { load, cast } = await until(script, cutAt);
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
}

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

async function killEverywhere(script: Script): Promise<void> {
  const { load: calm } = await until(script);
  for (let cutAt = 1; cutAt <= calm.storage.operations; cutAt++) {
    const { load, cast } = await until(script, cutAt);
    try {
      await goOn(load, cast, load.storage.afterKill());
    } catch (error) {
      throw new Error(`killed at operation ${cutAt}`, { cause: error });
    }
  }
}

test('wherever the power goes, what was committed is there whole, what was not is not, and nothing hangs', async () => {
  await cutEverywhere(remote, 4, [0, 1]);
});

test('the same for producers in the process itself', async () => {
  await cutEverywhere(inProcess, 4, [1]);
});

test('wherever the process is killed, the same holds', async () => {
  await killEverywhere(remote);
  await killEverywhere(inProcess);
});
