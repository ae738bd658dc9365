import { test } from 'node:test';
import fc from 'fast-check';
import { LogError } from '../errors.ts';
import { seededRandom } from '../log/faulty-storage.ts';
import { settled } from './coordinator.fixture.ts';
import { Client, Load, LocalClient, PARTITIONS } from './load.fixture.ts';

/**
 * Several producers, some of them under one transactional id, and some in the broker's own process, do what they like, at once or one after the other, while the
 * disk refuses writes, time passes, and the broker is stopped, killed or loses its power. `load.fixture.ts` says what must
 * hold in the end.
 */
const RUNS = 400;
const SEED = 20_261_121;
const CLIENTS = ['a', 'a', 'b', 'c'];
const LOCAL_CLIENTS = ['c', 'd', 'd'];

type Step =
  | { readonly kind: 'start'; readonly client: number }
  | { readonly kind: 'produce'; readonly client: number; readonly partition: number }
  | { readonly kind: 'offsets'; readonly client: number }
  | { readonly kind: 'end'; readonly client: number; readonly commit: boolean }
  | { readonly kind: 'startLocal'; readonly local: number }
  | { readonly kind: 'publish'; readonly local: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'refuse'; readonly path: string }
  | { readonly kind: 'restart'; readonly how: 'cleanly' | 'killed' | 'power'; readonly seed: number };

const client = fc.nat({ max: CLIENTS.length - 1 });
const local = fc.nat({ max: LOCAL_CLIENTS.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('start' as const), client }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('produce' as const), client, partition: fc.nat({ max: PARTITIONS - 1 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('offsets' as const), client }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end' as const), client, commit: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('startLocal' as const), local }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('publish' as const), local }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('wait' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(100, 1000, 60_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('refuse' as const),
      path: fc.constantFrom('__transaction_state', '__consumer_offsets', '/t-0/', '/t-1/', '__cluster_metadata'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      how: fc.constantFrom('cleanly' as const, 'killed' as const, 'power' as const),
      seed: fc.nat(),
    }),
  },
);

/** Steps go on side by side until a 'wait', a restart, or the end. */
async function run(steps: readonly Step[]): Promise<void> {
  const load = new Load();
  await load.open();
  const clients = CLIENTS.map((id) => new Client(id));
  const locals = LOCAL_CLIENTS.map((id) => new LocalClient(id));
  const running: Promise<void>[] = [];
  const busy = new Set<Client | LocalClient>();
  const one = <C extends Client | LocalClient>(it: C, work: (client: C) => Promise<void>) => {
    // A client does one thing at a time.
    if (busy.has(it)) return;
    busy.add(it);
    const done = work(it)
      .catch((error: unknown) => {
        if (!(error instanceof LogError)) throw error;
      })
      .finally(() => busy.delete(it));
    running.push(done);
  };
  for (const now of steps) {
    if (now.kind === 'start') one(clients[now.client]!, (it) => load.start(it));
    else if (now.kind === 'produce') one(clients[now.client]!, (it) => load.produce(it, now.partition));
    else if (now.kind === 'offsets') one(clients[now.client]!, (it) => load.commitOffsets(it));
    else if (now.kind === 'end') one(clients[now.client]!, (it) => load.end(it, now.commit));
    else if (now.kind === 'startLocal') one(locals[now.local]!, (it) => load.startLocal(it));
    else if (now.kind === 'publish') one(locals[now.local]!, (it) => load.publish(it));
    else if (now.kind === 'advance') load.clock.advance(now.ms);
    else if (now.kind === 'refuse') load.storage.failWrite = (path) => path.includes(now.path);
    else if (now.kind === 'wait') {
      await settled();
      load.storage.failWrite = () => false;
    } else {
      await restart(load, running.splice(0), now.how, now.seed);
      for (const it of locals) it.producer = undefined;
    }
  }
  load.storage.failWrite = () => false;
  await load.patiently(Promise.all(running));
  await load.close();
  await load.open();
  await load.verify();
  await load.close();
}

async function restart(
  load: Load,
  running: readonly Promise<void>[],
  how: 'cleanly' | 'killed' | 'power',
  seed: number,
): Promise<void> {
  load.storage.failWrite = () => false;
  if (how === 'cleanly') {
    await load.patiently(Promise.all(running));
    await load.close();
  } else {
    const random = seededRandom(seed);
    // Somewhere in the middle of what is going on.
    for (let n = Math.floor(random() * 60); n > 0; n--) await undefined;
    const found = how === 'power' ? load.storage.afterPowerCut(random) : load.storage.afterKill();
    await load.patiently(Promise.allSettled(running));
    load.storage = found;
  }
  await load.open();
}

test('producers, faults and restarts in any order: whole or not at all, nothing twice, nothing open', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), run), {
    numRuns: RUNS,
    seed: SEED,
  });
});
