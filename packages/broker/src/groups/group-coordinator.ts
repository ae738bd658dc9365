import { LogError } from '../errors.ts';
import type { Clock } from '../log/clock.ts';
import type { DirectoryLog } from '../log/log.ts';
import type { BrokerSettings } from '../server/settings.ts';
import { appendError, appended } from './append-error.ts';
import { EMPTY_BYTES, Group, type Member, refusedJoin } from './group.ts';
import { groupOf, groupRecord } from './group-record.ts';
import { OffsetCommits } from './offset-commits.ts';
import { joined, Rebalance } from './rebalance.ts';
import type {
  GroupDescription,
  JoinRequest,
  JoinResult,
  LeaveResult,
  LeavingMember,
  ListedGroup,
  MemberRequest,
  Protocol,
  SyncRequest,
  SyncResult,
} from './requests.ts';
import { TransactionalOffsets } from './transactional-offsets.ts';

/**
 * The classic group protocol as Apache Kafka 4's coordinator speaks it: who is a member of which group, which generation
 * it is in, and what each member was assigned. Groups are found again after a crash, and their members, who get a fresh
 * session, go on without a rebalance. Members bring the assignor; their bytes pass through untouched.
 *
 * A call that fails throws a LogError with Kafka's name; a join is always answered with a JoinResult.
 */
export interface GroupCoordinatorOptions {
  readonly log: Pick<DirectoryLog, 'groupOffsets'>;
  readonly clock: Clock;
  /** In [0, 1): for member ids. */
  readonly random: () => number;
  readonly settings: Pick<
    BrokerSettings,
    | 'group.initial.rebalance.delay.ms'
    | 'group.min.session.timeout.ms'
    | 'group.max.session.timeout.ms'
    | 'group.max.size'
    | 'offsets.retention.minutes'
  >;
}

export class GroupCoordinator {
  readonly offsets: OffsetCommits;
  readonly transactionalOffsets: TransactionalOffsets;
  private readonly options: GroupCoordinatorOptions;
  private readonly rebalance: Rebalance;
  private readonly groups = new Map<string, Group>();
  private stopped = false;

  private constructor(options: GroupCoordinatorOptions) {
    this.options = options;
    const { clock, settings } = options;
    const offsets = options.log.groupOffsets;
    this.rebalance = new Rebalance({
      clock,
      initialDelayMs: settings['group.initial.rebalance.delay.ms'],
      write: (group, assignments) => offsets.writeMetadata(group.id, groupRecord(group, assignments)),
    });
    const find = (id: string) => {
      this.expectRunning();
      return this.find(id);
    };
    this.transactionalOffsets = new TransactionalOffsets({ offsets, clock, find });
    this.offsets = new OffsetCommits({
      offsets,
      clock,
      retentionMs: settings['offsets.retention.minutes'] * 60_000,
      find,
      renew: (group, member) => this.rebalance.renew(group, member),
      groups: () => this.all(),
      forget: (group) => this.forget(group),
    });
    for (const [id, value] of offsets.metadata()) this.groups.set(id, groupOf(id, value));
    for (const group of this.groups.values()) {
      for (const member of group.members.values()) this.rebalance.renew(group, member);
    }
  }

  /** With the groups that the log has; there is one coordinator for a log. */
  static open(options: GroupCoordinatorOptions): GroupCoordinator {
    return new GroupCoordinator(options);
  }

  // ---- membership ----

  async join(request: JoinRequest): Promise<JoinResult> {
    const { group: id, memberId, sessionTimeoutMs } = request;
    const { settings } = this.options;
    if (this.stopped) return refusedJoin('COORDINATOR_NOT_AVAILABLE', memberId);
    if (id === '') return refusedJoin('INVALID_GROUP_ID', memberId);
    if (
      sessionTimeoutMs < settings['group.min.session.timeout.ms'] ||
      sessionTimeoutMs > settings['group.max.session.timeout.ms']
    ) {
      return refusedJoin('INVALID_SESSION_TIMEOUT', memberId);
    }
    const group = this.find(id) ?? (memberId === '' ? new Group(id, this.options.clock.now()) : undefined);
    if (group === undefined) return refusedJoin('UNKNOWN_MEMBER_ID', memberId);
    if (!this.hasRoom(group, memberId)) {
      const member = group.members.get(memberId);
      if (member !== undefined) this.rebalance.remove(group, [member]);
      group.forgetExpected(memberId);
      return refusedJoin('GROUP_MAX_SIZE_REACHED', '');
    }
    if (!group.supports(request.protocolType, request.protocols)) {
      return refusedJoin('INCONSISTENT_GROUP_PROTOCOL', memberId);
    }
    this.groups.set(id, group);
    return memberId === '' ? this.joinAnew(group, request) : this.joinAgain(group, request);
  }

  async sync(request: SyncRequest): Promise<SyncResult> {
    const group = this.groupOf(request);
    const member = group.currentMemberOf(request);
    expectSame('protocol type', request.protocolType, group.protocolType);
    expectSame('protocol', request.protocolName, group.protocolName);
    if (group.state === 'PreparingRebalance') throw rebalancing(group);
    if (group.state === 'Stable') {
      this.rebalance.synced(group, member);
      return {
        protocolType: group.protocolType ?? null,
        protocolName: group.protocolName ?? null,
        assignment: member.assignment,
      };
    }
    return new Promise((resolve, reject) => {
      member.sync?.(rebalancing(group));
      member.sync = (result) => (result instanceof LogError ? reject(result) : resolve(result));
      this.rebalance.sync(group, member, request);
    });
  }

  /** Throws REBALANCE_IN_PROGRESS when the member is to join again. */
  heartbeat(request: MemberRequest): void {
    const group = this.groupOf(request);
    const member = group.currentMemberOf(request);
    this.rebalance.renew(group, member);
    if (group.state === 'PreparingRebalance') throw rebalancing(group);
  }

  leave(id: string, leaving: readonly LeavingMember[]): LeaveResult[] {
    this.expectNamed(id);
    const group = this.find(id);
    const gone: Member[] = [];
    const results = leaving.map(({ memberId, groupInstanceId }): LeaveResult => {
      const identity = { memberId, groupInstanceId };
      if (memberId !== '' && group?.expected.has(memberId)) {
        group.forgetExpected(memberId);
        return identity;
      }
      const current = groupInstanceId === null ? undefined : group?.staticMembers.get(groupInstanceId);
      const known = memberId === '' ? current : memberId;
      if (group === undefined || known === undefined) return { ...identity, error: 'UNKNOWN_MEMBER_ID' };
      try {
        const member = group.memberOf({ memberId: known, groupInstanceId });
        if (!gone.includes(member)) gone.push(member);
        return identity;
      } catch (error) {
        if (error instanceof LogError) return { ...identity, error: error.code };
        throw error;
      }
    });
    if (group !== undefined && gone.length > 0) this.rebalance.remove(group, gone);
    else if (group !== undefined) this.rebalance.joinedPerhaps(group);
    return results;
  }

  // ---- administration ----

  /** undefined when there is no such group. */
  describe(id: string): GroupDescription | undefined {
    this.expectRunning();
    const group = this.find(id);
    if (group === undefined) return undefined;
    const stable = group.state === 'Stable';
    return {
      group: id,
      state: group.state,
      protocolType: group.protocolType ?? '',
      protocolName: (stable ? group.protocolName : undefined) ?? '',
      members: [...group.members.values()].map((member) => ({
        memberId: member.id,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: stable ? group.metadataOf(member) : EMPTY_BYTES,
        assignment: stable ? member.assignment : EMPTY_BYTES,
      })),
    };
  }

  /** Those in one of the states, of one of the types; all when none is named. Case does not matter. */
  list(states: readonly string[], types: readonly string[]): ListedGroup[] {
    this.expectRunning();
    if (types.length > 0 && !types.some((type) => type.toLowerCase() === 'classic')) return [];
    const wanted = new Set(states.map((state) => state.toLowerCase()));
    return this.all()
      .filter(({ state }) => wanted.size === 0 || wanted.has(state.toLowerCase()))
      .map(({ id, protocolType, state }) => ({ group: id, protocolType: protocolType ?? '', state, type: 'classic' }));
  }

  /** With all that it committed. Throws NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND. */
  async delete(id: string): Promise<void> {
    this.expectRunning();
    const group = this.find(id);
    if (group === undefined) throw new LogError('GROUP_ID_NOT_FOUND', `there is no group '${id}'`);
    if (group.state !== 'Empty') {
      throw new LogError(
        'NON_EMPTY_GROUP',
        `group '${id}' has ${group.members.size} members (${group.state}); stop them, then delete it`,
      );
    }
    await appended(this.forget(group));
  }

  /** Sends everybody who waits to look for a coordinator, and takes nothing more. */
  close(): void {
    this.stopped = true;
    this.offsets.stop();
    for (const group of this.groups.values()) {
      group.cancelJoinTimer();
      group.cancelSyncTimer();
      for (const cancel of group.expected.values()) cancel();
      for (const member of group.members.values()) {
        member.cancelSession();
        member.join?.(refusedJoin('NOT_COORDINATOR', member.id));
        member.sync?.(stopping('NOT_COORDINATOR'));
        member.join = undefined;
        member.sync = undefined;
      }
    }
  }

  // ---- joining ----

  private async joinAnew(group: Group, request: JoinRequest): Promise<JoinResult> {
    const { groupInstanceId } = request;
    const memberId = `${groupInstanceId ?? request.clientId}-${this.uuid()}`;
    const taken = groupInstanceId === null ? undefined : group.staticMembers.get(groupInstanceId);
    const old = taken === undefined ? undefined : group.members.get(taken);
    if (old !== undefined) return this.joinInPlaceOf(group, old, memberId, request);
    if (groupInstanceId === null && request.requireKnownMemberId) {
      this.rebalance.expect(group, memberId, request.sessionTimeoutMs);
      return refusedJoin('MEMBER_ID_REQUIRED', memberId);
    }
    return this.add(group, memberId, request);
  }

  private async joinAgain(group: Group, request: JoinRequest): Promise<JoinResult> {
    const { memberId } = request;
    if (group.expected.has(memberId) && request.groupInstanceId === null) return this.add(group, memberId, request);
    let member: Member;
    try {
      member = group.memberOf(request);
    } catch (error) {
      if (error instanceof LogError) return refusedJoin(error.code, memberId);
      throw error;
    }
    const unchanged = sameProtocols(member.protocols, request.protocols);
    // Without a change this is somebody who missed the answer. The leader alone may ask for a rebalance without one:
    // what is to be assigned may have changed.
    if (unchanged && group.state === 'CompletingRebalance') return joined(group, member);
    if (unchanged && group.state === 'Stable' && group.leaderId !== memberId) return joined(group, member);
    return this.wait(member, request, () => this.rebalance.rebalance(group));
  }

  private add(group: Group, id: string, request: JoinRequest): Promise<JoinResult> {
    const { groupInstanceId: instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs } = request;
    return new Promise((join) => {
      const member: Member = {
        id,
        instanceId,
        clientId,
        clientHost,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        protocols: copied(request.protocols),
        assignment: EMPTY_BYTES,
        isNew: true,
        join,
        sync: undefined,
        cancelSession: () => undefined,
      };
      this.rebalance.add(group, member, request.protocolType);
    });
  }

  private wait(member: Member, request: JoinRequest, then: () => void): Promise<JoinResult> {
    member.protocols = copied(request.protocols);
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    return new Promise((join) => {
      // Its earlier request, if one still waits: the client has given it up.
      member.join?.(refusedJoin('REBALANCE_IN_PROGRESS', member.id));
      member.join = join;
      then();
    });
  }

  /** A static member is back. Its assignment is still good unless what it brings would change the protocol. */
  private joinInPlaceOf(group: Group, old: Member, memberId: string, request: JoinRequest): Promise<JoinResult> {
    const leaderBefore = group.leaderId ?? '';
    const member = group.replace(old, memberId);
    this.rebalance.renew(group, member);
    return this.wait(member, request, () => {
      if (group.state === 'PreparingRebalance') this.rebalance.joinedPerhaps(group);
      // The leader may have been given the old id to assign to.
      else if (group.state !== 'Stable') this.rebalance.prepare(group);
      else if (group.selectProtocol() !== group.protocolName) this.rebalance.prepare(group);
      else this.resume(group, member, leaderBefore, request.canSkipAssignment);
    });
  }

  private resume(group: Group, member: Member, leaderBefore: string, canSkip: boolean): void {
    const assignments = new Map([...group.members.values()].map(({ id, assignment }) => [id, assignment]));
    const answer = (result: () => JoinResult) => {
      // A rebalance may have begun in between, which then answers.
      if (group.state !== 'Stable' || group.members.get(member.id) !== member) return;
      const { join } = member;
      member.join = undefined;
      join?.(result());
      this.rebalance.renew(group, member);
    };
    this.options.log.groupOffsets.writeMetadata(group.id, groupRecord(group, assignments)).then(
      () =>
        answer(() => {
          const result = joined(group, member);
          if (canSkip) return { ...result, skipAssignment: group.leaderId === member.id };
          // Who does not know that it may skip assigning must not learn that it leads.
          return { ...result, leader: leaderBefore, members: [] };
        }),
      (error: unknown) => answer(() => refusedJoin(appendError(error), '')),
    );
  }

  // ---- groups ----

  /** A group that has members, or had, or has committed offsets. */
  private find(id: string): Group | undefined {
    const group = this.groups.get(id);
    if (group !== undefined) return group;
    const { log, clock } = this.options;
    if (!log.groupOffsets.knows(id)) return undefined;
    const simple = new Group(id, clock.now());
    this.groups.set(id, simple);
    return simple;
  }

  private all(): Group[] {
    for (const id of this.options.log.groupOffsets.groups()) this.find(id);
    return [...this.groups.values()];
  }

  private async forget(group: Group): Promise<void> {
    await this.options.log.groupOffsets.forgetGroup(group.id);
    const idle = group.state === 'Empty' && group.expected.size === 0;
    // Who came in between is in the same group, which is written anew when its generation is complete.
    if (idle && this.groups.get(group.id) === group) this.groups.delete(group.id);
  }

  private hasRoom(group: Group, memberId: string): boolean {
    const most = this.options.settings['group.max.size'];
    const member = group.members.get(memberId);
    if (group.state === 'Empty') return true;
    // After a limit was lowered, those who come last stay outside.
    if (group.state === 'PreparingRebalance') return member?.join !== undefined || group.joining() < most;
    return member !== undefined || group.members.size < most;
  }

  private groupOf({ group: id, memberId }: MemberRequest): Group {
    this.expectNamed(id);
    const group = this.find(id);
    if (group !== undefined && group.state !== 'Empty') return group;
    throw new LogError(
      'UNKNOWN_MEMBER_ID',
      `member '${memberId}' is unknown: group '${id}' has no members; join again without a member id`,
    );
  }

  private expectNamed(id: string): void {
    this.expectRunning();
    if (id === '') throw new LogError('INVALID_GROUP_ID', "a group's name has at least one character");
  }

  private expectRunning(): void {
    if (this.stopped) throw stopping('COORDINATOR_NOT_AVAILABLE');
  }

  private uuid(): string {
    const { random } = this.options;
    const hex = () => Math.floor(random() * 16).toString(16);
    return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replaceAll('x', hex);
  }
}

function stopping(code: 'COORDINATOR_NOT_AVAILABLE' | 'NOT_COORDINATOR'): LogError {
  return new LogError(code, 'the broker is stopping; look for the coordinator again');
}

function rebalancing(group: Group): LogError {
  return new LogError('REBALANCE_IN_PROGRESS', `group '${group.id}' is rebalancing: join again`);
}

function expectSame(what: string, given: string | null, own: string | undefined): void {
  if (given === null || own === undefined || given === own) return;
  throw new LogError('INCONSISTENT_GROUP_PROTOCOL', `the ${what} is '${own}' in this generation, not '${given}'`);
}

function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, n) => name === b[n]?.name && metadata.equals(b[n]?.metadata ?? EMPTY_BYTES))
  );
}

/** Bytes of a request are views of what was read from the connection; what is kept must not pin it. */
function copied(protocols: readonly Protocol[]): Protocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }));
}
