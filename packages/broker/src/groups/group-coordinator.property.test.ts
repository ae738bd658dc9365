import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogError } from '../errors.ts';
import { seededRandom } from '../log/faulty-storage.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { type Bench, GROUP, identity, joinRequest, Outcome, openBench, settle, TOPIC } from './groups.fixture.ts';
import type { JoinResult, SyncResult } from './requests.ts';

/**
 * Members join, leave, die, restart, and miss their heartbeats, in any order, while time passes and the broker is killed
 * and loses its power. Then no two members of one generation ever own the same partition, each generation has one leader,
 * nobody waits for ever, acknowledged offsets do not go back, and as soon as all behave the group is stable and complete.
 */
const PARTITIONS = 12;
const MINUTE = 60_000;

interface World {
  bench: Bench;
  incarnation: number;
  /** A group that nobody used is forgotten, and begins anew with generation 1. */
  life: number;
  /** Life, generation and partition to the member that was told it owns it. */
  readonly owners: Map<string, string>;
  /** Incarnation, life and generation to the leader, by its instance or member id. */
  readonly leaders: Map<string, string>;
  issued: number;
  acknowledged: number;
  /** All that ever waited on the broker that runs now. */
  waiting: Outcome<unknown>[];
}

class Actor {
  readonly instance: string | null;
  private readonly world: World;
  private readonly request: Partial<Parameters<typeof joinRequest>[0]>;
  private memberId = '';
  private life = 0;
  private joining: Outcome<JoinResult> | undefined;
  private joined: JoinResult | undefined;
  private syncing: Outcome<SyncResult> | undefined;
  owned: number[] | undefined;

  constructor(world: World, n: number) {
    this.world = world;
    this.instance = n < 2 ? `pod-${n}` : null;
    this.request = {
      clientId: `c${n}`,
      groupInstanceId: this.instance,
      requireKnownMemberId: n % 2 === 0,
      canSkipAssignment: n !== 1,
      sessionTimeoutMs: 6000 + n * 4000,
      rebalanceTimeoutMs: 5000 + n * 10_000,
    };
  }

  /** What a client would do next. */
  step(): void {
    if (this.joining !== undefined) this.hearJoin(this.joining);
    else if (this.syncing !== undefined) this.hearSync(this.syncing);
    else if (this.joined === undefined) this.join();
    else if (this.owned === undefined) this.sync(this.joined);
    else this.work(this.joined);
  }

  /** The process dies; the next one knows nothing. */
  die(): void {
    this.disconnect();
    this.memberId = '';
    this.joined = undefined;
    this.owned = undefined;
  }

  leave(): void {
    if (this.memberId !== '') {
      this.world.bench.groups.leave(GROUP, [{ memberId: this.memberId, groupInstanceId: this.instance }]);
    }
    this.die();
  }

  disconnect(): void {
    this.joining = undefined;
    this.syncing = undefined;
  }

  private join(): void {
    this.owned = undefined;
    this.joined = undefined;
    this.life = this.world.life;
    this.joining = new Outcome(this.world.bench.groups.join(joinRequest({ ...this.request, memberId: this.memberId })));
    this.world.waiting.push(this.joining);
  }

  private hearJoin(joining: Outcome<JoinResult>): void {
    if (!joining.done) return;
    this.joining = undefined;
    const result = joining.value;
    assert.ok(result);
    if (result.error === 'MEMBER_ID_REQUIRED') this.memberId = result.memberId;
    else if (result.error !== undefined) this.lost(result.error);
    else this.enter(result);
  }

  private enter(result: JoinResult): void {
    this.memberId = result.memberId;
    this.joined = result;
    if (result.leader !== result.memberId) return;
    const generation = `${this.world.incarnation}/${this.life}/${result.generationId}`;
    const self = this.instance ?? this.memberId;
    assert.equal(this.world.leaders.get(generation) ?? self, self, `generation ${generation} has two leaders`);
    this.world.leaders.set(generation, self);
  }

  private sync(joined: JoinResult): void {
    const { members, skipAssignment } = joined;
    const assignments = skipAssignment
      ? []
      : members.map(({ memberId }, n) => {
          const own = Array.from({ length: PARTITIONS }, (_, p) => p).filter((p) => p % members.length === n);
          return { memberId, assignment: Buffer.from(JSON.stringify(own)) };
        });
    const request = {
      ...identity(joined, this.instance),
      protocolType: 'consumer',
      protocolName: 'range',
      assignments,
    };
    this.syncing = new Outcome(this.world.bench.groups.sync(request));
    this.world.waiting.push(this.syncing);
  }

  private hearSync(syncing: Outcome<SyncResult>): void {
    if (!syncing.done) return;
    this.syncing = undefined;
    if (syncing.value === undefined) return this.lost(codeOf(syncing.error));
    const text = syncing.value.assignment.toString();
    const owned: number[] = text === '' ? [] : JSON.parse(text);
    const self = this.instance ?? this.memberId;
    for (const partition of owned) {
      const place = `${this.life}/${this.joined?.generationId}/${partition}`;
      assert.equal(this.world.owners.get(place) ?? self, self, `${place} has two owners`);
      this.world.owners.set(place, self);
    }
    this.owned = owned;
  }

  private work(joined: JoinResult): void {
    const { bench } = this.world;
    try {
      bench.groups.heartbeat(identity(joined, this.instance));
    } catch (error) {
      this.lost(codeOf(error));
      return;
    }
    const offset = ++this.world.issued;
    const offsets = [{ topic: TOPIC, partition: 0, offset, leaderEpoch: -1, metadata: null }];
    const { incarnation } = this.world;
    bench.groups.offsets.commit({ ...identity(joined, this.instance), offsets }).then(
      () => {
        if (incarnation === this.world.incarnation) this.world.acknowledged = offset;
      },
      () => undefined,
    );
  }

  private lost(code: string): void {
    this.joined = undefined;
    this.owned = undefined;
    if (code === 'UNKNOWN_MEMBER_ID' || code === 'FENCED_INSTANCE_ID') this.memberId = '';
  }
}

function codeOf(error: unknown): string {
  if (error instanceof LogError) return error.code;
  throw error;
}

type Deed = { readonly what: 'step' | 'die' | 'leave'; readonly who: number };
type Event =
  | Deed
  | { readonly what: 'pass'; readonly ms: number }
  | { readonly what: 'kill' | 'cut'; readonly seed: number };

const ACTORS = 5;
const who = fc.nat(ACTORS - 1);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ what: fc.constant('step' as const), who }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('die' as const, 'leave' as const), who }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 12_000 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('kill' as const, 'cut' as const), seed: fc.nat(999) }) },
);

async function restart(world: World, actors: readonly Actor[], cut: boolean, seed: number): Promise<void> {
  const { storage, clock } = world.bench;
  const found = cut ? storage.afterPowerCut(seededRandom(seed)) : storage.afterKill();
  world.incarnation++;
  world.waiting = [];
  for (const actor of actors) actor.disconnect();
  world.bench = await openBench({}, found, new ManualClock(clock.now()));
}

function expectOffset({ bench, acknowledged, issued }: World): void {
  const [found] = bench.groups.offsets.fetch(GROUP, [{ topic: TOPIC, partition: 0 }], true);
  const offset = Math.max(found?.offset ?? 0, 0);
  assert.ok(
    offset >= acknowledged && offset <= issued,
    `offset ${offset}, acknowledged ${acknowledged}, sent ${issued}`,
  );
}

async function live(world: World, actors: readonly Actor[], events: readonly Event[]): Promise<void> {
  for (const one of events) {
    if (one.what === 'pass') world.bench.clock.advance(one.ms);
    else if ('seed' in one) await restart(world, actors, one.what === 'cut', one.seed);
    else actors[one.who]?.[one.what]();
    await settle();
    expectOffset(world);
    if (world.bench.groups.describe(GROUP) === undefined) world.life++;
  }
}

test('whatever members, time and the power do, ownership is exclusive, waiting ends, and the group recovers', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 30, maxLength: 90, size: 'max' }), async (events) => {
      const bench = await openBench();
      await bench.log.createTopic(TOPIC, { partitions: PARTITIONS });
      const bookkeeping = {
        incarnation: 0,
        life: 0,
        owners: new Map(),
        leaders: new Map(),
        issued: 0,
        acknowledged: 0,
      };
      const world: World = { ...bookkeeping, bench, waiting: [] };
      const actors = Array.from({ length: ACTORS }, (_, n) => new Actor(world, n));
      await live(world, actors, events);

      for (let minutes = 0; minutes < 12; minutes++) {
        world.bench.clock.advance(MINUTE);
        await settle();
      }
      world.life++;
      assert.ok(
        world.waiting.every(({ done }) => done),
        'somebody waits for ever',
      );

      for (let rounds = 0; rounds < 60; rounds++) {
        for (const actor of actors) actor.step();
        world.bench.clock.advance(500);
        await settle();
      }
      expectOffset(world);
      const owned = actors.flatMap((actor) => actor.owned ?? assert.fail('a member is not back'));
      assert.equal(world.bench.groups.describe(GROUP)?.members.length, ACTORS);
      assert.deepEqual(
        owned.sort((a, b) => a - b),
        Array.from({ length: PARTITIONS }, (_, p) => p),
      );
    }),
    { numRuns: 80 },
  );
});
