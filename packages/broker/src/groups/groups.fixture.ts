import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { defaultSettings } from '../server/settings.ts';
import { GroupCoordinator, type GroupCoordinatorOptions } from './group-coordinator.ts';
import type { JoinRequest, JoinResult, MemberRequest, SyncResult } from './requests.ts';

/** A coordinator on a log in memory, in virtual time. */
export interface Bench {
  readonly storage: FaultyStorage;
  readonly clock: ManualClock;
  readonly log: DirectoryLog;
  readonly groups: GroupCoordinator;
}

type Settings = Partial<GroupCoordinatorOptions['settings']>;

export const GROUP = 'readers';
export const TOPIC = 'events';
export const SESSION = 10_000;
export const REBALANCE = 60_000;

export async function openBench(
  settings: Settings = {},
  storage: FaultyStorage = new FaultyStorage(),
  clock: ManualClock = new ManualClock(),
): Promise<Bench> {
  const random = seededRandom(7);
  const log = await openDirectoryLog({ directory: '/data', storage, clock, random });
  const groups = GroupCoordinator.open({ log, clock, random, settings: { ...defaultSettings, ...settings } });
  return { storage, clock, log, groups };
}

export async function closeBench({ groups, log }: Bench): Promise<void> {
  groups.close();
  await log.close();
}

/** All that can happen without time passing. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
}

export function joinRequest(changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    group: GROUP,
    memberId: '',
    groupInstanceId: null,
    clientId: 'client',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: SESSION,
    rebalanceTimeoutMs: REBALANCE,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription([TOPIC]) }],
    requireKnownMemberId: false,
    canSkipAssignment: true,
    ...changes,
  };
}

/** Version 0 of what consumers subscribe with. */
export function subscription(topics: readonly string[]): Buffer {
  const parts = [Buffer.from([0, 0]), int32(topics.length)];
  for (const topic of topics) parts.push(Buffer.from([0, Buffer.byteLength(topic)]), Buffer.from(topic));
  return Buffer.concat([...parts, int32(-1)]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** What became of a promise, by the time anybody looks. */
export class Outcome<T> {
  value: T | undefined;
  error: unknown;
  done = false;

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => {
        this.value = value;
        this.done = true;
      },
      (error: unknown) => {
        this.error = error;
        this.done = true;
      },
    );
  }
}

export function identity(joined: JoinResult, groupInstanceId: string | null = null): MemberRequest {
  return { group: GROUP, memberId: joined.memberId, generationId: joined.generationId, groupInstanceId };
}

/** The leader assigns to each member its own id; the others follow. */
export function syncRequest(joined: JoinResult, groupInstanceId: string | null = null) {
  const assignments = joined.members.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) }));
  return { ...identity(joined, groupInstanceId), protocolType: null, protocolName: null, assignments };
}

/** `count` members in a stable generation, the leader first. */
export async function stableGroup(
  { groups, clock }: Bench,
  count: number,
  changes: (n: number) => Partial<JoinRequest> = () => ({}),
): Promise<{ joined: JoinResult[]; synced: SyncResult[] }> {
  const joins = Array.from({ length: count }, (_, n) => groups.join(joinRequest(changes(n))));
  await settle();
  clock.advance(1000);
  const joined = await Promise.all(joins);
  joined.sort((a, b) => Number(b.memberId === b.leader) - Number(a.memberId === a.leader));
  const synced = await Promise.all(joined.map((one, n) => groups.sync(syncRequest(one, changes(n).groupInstanceId))));
  return { joined, synced };
}
