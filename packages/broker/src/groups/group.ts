import { LogError } from '../errors.ts';
import { CONSUMER_PROTOCOL, topicsOf } from './consumer-subscription.ts';
import type { GroupState, JoinedMember, JoinResult, MemberRequest, Protocol, SyncResult } from './requests.ts';

/**
 * One consumer group: its state, members and generation, and what can be asked of them. Nothing here sets a timer or
 * writes a record; rebalance.ts moves the group from state to state.
 */
export interface Member {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Buffer;
  /** It has not been in a generation yet, so it does not know its id and cannot send heartbeats. */
  isNew: boolean;
  /** Answers its waiting JoinGroup. */
  join: ((result: JoinResult) => void) | undefined;
  /** Answers its waiting SyncGroup. */
  sync: ((result: SyncResult | LogError) => void) | undefined;
  /** Ends the timer of its session. */
  cancelSession: () => void;
}

const NO_GENERATION = -1;
export const EMPTY_BYTES: Buffer = Buffer.alloc(0);
const noTimer = (): void => undefined;

export class Group {
  readonly id: string;
  state: GroupState = 'Empty';
  /** The group came from Empty to where it is: its first members are still gathering. */
  initial = false;
  /** Since when it is in its state, wall ms. */
  since: number;
  generation = 0;
  /** undefined of a group that only ever committed offsets. */
  protocolType: string | undefined;
  protocolName: string | undefined;
  leaderId: string | undefined;
  readonly members = new Map<string, Member>();
  /** Instance id to member id. */
  readonly staticMembers = new Map<string, string>();
  /** Ids given to newcomers that have not come back with them, each with what ends its timer. */
  readonly expected = new Map<string, () => void>();
  /** Members that have not asked for this generation's assignment. */
  readonly unsynced = new Set<string>();
  /** Someone came while the first members gather. */
  newcomer = false;
  /** What consumers subscribe to; undefined when that is not known. */
  topics: ReadonlySet<string> | undefined;
  cancelJoinTimer: () => void = noTimer;
  cancelSyncTimer: () => void = noTimer;

  constructor(id: string, now: number) {
    this.id = id;
    this.since = now;
  }

  enter(state: GroupState, now: number): void {
    this.initial = this.state === 'Empty';
    this.state = state;
    this.since = now;
  }

  add(member: Member, protocolType: string): void {
    if (this.members.size === 0) this.protocolType = protocolType;
    this.leaderId ??= member.id;
    this.members.set(member.id, member);
    if (member.instanceId !== null) this.staticMembers.set(member.instanceId, member.id);
    this.forgetExpected(member.id);
  }

  /** Whatever it waits for is answered. */
  remove(member: Member): void {
    member.cancelSession();
    member.join?.(refusedJoin('UNKNOWN_MEMBER_ID', ''));
    member.join = undefined;
    member.sync?.(new LogError('UNKNOWN_MEMBER_ID', `member '${member.id}' is no longer in group '${this.id}'`));
    member.sync = undefined;
    this.members.delete(member.id);
    this.unsynced.delete(member.id);
    if (member.instanceId !== null) this.staticMembers.delete(member.instanceId);
    if (this.leaderId === member.id) this.leaderId = this.members.keys().next().value;
  }

  /** The same static member under a new id; whoever still waits under the old one is fenced off. */
  replace(old: Member, id: string): Member {
    old.cancelSession();
    old.join?.(refusedJoin('FENCED_INSTANCE_ID', old.id));
    old.sync?.(this.fenced(old.id, old.instanceId ?? ''));
    this.members.delete(old.id);
    const member: Member = { ...old, id, join: undefined, sync: undefined, cancelSession: noTimer };
    this.members.set(id, member);
    if (old.instanceId !== null) this.staticMembers.set(old.instanceId, id);
    if (this.leaderId === old.id) this.leaderId = id;
    return member;
  }

  forgetExpected(id: string): void {
    this.expected.get(id)?.();
    this.expected.delete(id);
  }

  /** The member that a request speaks for; throws UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when another took its place. */
  memberOf({ memberId, groupInstanceId }: Pick<MemberRequest, 'memberId' | 'groupInstanceId'>): Member {
    if (groupInstanceId !== null) {
      const current = this.staticMembers.get(groupInstanceId);
      if (current === undefined) throw this.unknown(memberId, `has no static member '${groupInstanceId}'`);
      if (current !== memberId) throw this.fenced(memberId, groupInstanceId);
    }
    const member = this.members.get(memberId);
    if (member === undefined) throw this.unknown(memberId, 'does not have it');
    return member;
  }

  /** As `memberOf`, and throws ILLEGAL_GENERATION when the member speaks of another generation. */
  currentMemberOf(request: MemberRequest): Member {
    const member = this.memberOf(request);
    if (request.generationId === this.generation) return member;
    throw new LogError(
      'ILLEGAL_GENERATION',
      `member '${member.id}' speaks of generation ${request.generationId}; group '${this.id}' is in ${this.generation}: join again`,
    );
  }

  supports(protocolType: string, protocols: readonly Protocol[]): boolean {
    if (this.state === 'Empty' || this.members.size === 0) return protocolType !== '' && protocols.length > 0;
    const common = this.commonProtocols();
    return this.protocolType === protocolType && protocols.some(({ name }) => common.has(name));
  }

  /** Everybody votes for the first of its protocols that all have. */
  selectProtocol(): string | undefined {
    const common = this.commonProtocols();
    const votes = new Map<string, number>();
    for (const { protocols } of this.members.values()) {
      const choice = protocols.find(({ name }) => common.has(name))?.name;
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1);
    }
    let chosen: string | undefined;
    for (const [name, count] of votes) {
      if (chosen === undefined || count > (votes.get(chosen) ?? 0)) chosen = name;
    }
    return chosen;
  }

  allJoined(): boolean {
    return this.expected.size === 0 && this.joining() === this.members.size;
  }

  /** How many wait for their JoinGroup. */
  joining(): number {
    let count = 0;
    for (const { join } of this.members.values()) if (join !== undefined) count++;
    return count;
  }

  /** The longest that any member wants to be waited for. */
  rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
    return longest;
  }

  /** A leader among those who are joining; false when nobody is. */
  electLeader(): boolean {
    const leader = this.leaderId === undefined ? undefined : this.members.get(this.leaderId);
    if (leader?.join !== undefined) return true;
    for (const member of this.members.values()) {
      if (member.join === undefined) continue;
      this.leaderId = member.id;
      return true;
    }
    return false;
  }

  nextGeneration(now: number): void {
    this.generation++;
    this.unsynced.clear();
    this.protocolName = this.selectProtocol();
    this.topics = this.subscribedTopics();
    this.enter(this.members.size > 0 ? 'CompletingRebalance' : 'Empty', now);
  }

  /** Consumers read this topic, or might: nobody knows to what they subscribe. */
  readsTopic(topic: string): boolean {
    return this.topics?.has(topic) ?? this.protocolType === CONSUMER_PROTOCOL;
  }

  subscribedTopics(): ReadonlySet<string> | undefined {
    if (this.protocolType !== CONSUMER_PROTOCOL) return undefined;
    const topics = new Set<string>();
    for (const member of this.members.values()) {
      const protocol = member.protocols.find(({ name }) => name === this.protocolName);
      const own = protocol === undefined ? undefined : topicsOf(protocol);
      if (own === undefined) return undefined;
      for (const topic of own) topics.add(topic);
    }
    return topics;
  }

  /** What the leader needs to assign. */
  joined(): JoinedMember[] {
    return [...this.members.values()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: this.metadataOf(member),
    }));
  }

  metadataOf(member: Member): Buffer {
    return member.protocols.find(({ name }) => name === this.protocolName)?.metadata ?? EMPTY_BYTES;
  }

  private commonProtocols(): Set<string> {
    const counts = new Map<string, number>();
    for (const { protocols } of this.members.values()) {
      for (const name of new Set(protocols.map((protocol) => protocol.name))) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    return new Set([...counts.keys()].filter((name) => counts.get(name) === this.members.size));
  }

  private unknown(memberId: string, why: string): LogError {
    return new LogError(
      'UNKNOWN_MEMBER_ID',
      `member '${memberId}' is unknown: group '${this.id}' ${why}; join again without a member id`,
    );
  }

  private fenced(memberId: string, instanceId: string): LogError {
    return new LogError(
      'FENCED_INSTANCE_ID',
      `static member '${instanceId}' of group '${this.id}' is another process now, '${memberId}' is fenced off: give each process a group.instance.id of its own`,
    );
  }
}

export function refusedJoin(error: NonNullable<JoinResult['error']>, memberId: string): JoinResult {
  return {
    error,
    memberId,
    generationId: NO_GENERATION,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  };
}
