import { LogError, type LogErrorCode } from '../errors.ts';
import type { Clock } from '../log/clock.ts';
import { appendError } from './append-error.ts';
import { EMPTY_BYTES, type Group, type Member } from './group.ts';
import type { JoinResult, SyncRequest } from './requests.ts';

/**
 * How a group goes from generation to generation:
 *
 *     Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable
 *                 members join           the leader assigns      heartbeats
 *
 * Any change of membership leads back to PreparingRebalance. It ends when everybody has joined, or at the longest of the
 * members' rebalance time-outs, without those who have not; the first members of an empty group instead wait a moment for
 * others. The leader's assignment counts when it is durable, so members find it again after a crash. Whoever waits is
 * answered: by the next state, or by a time-out.
 */
export interface RebalanceSeams {
  readonly clock: Clock;
  readonly initialDelayMs: number;
  /** Writes the group down with these assignments, by member id. */
  readonly write: (group: Group, assignments: ReadonlyMap<string, Buffer>) => Promise<void>;
}

/** A newcomer may wait this long for a slow rebalance; then it may be gone, and if not it comes again. */
const NEW_MEMBER_JOIN_TIMEOUT = 5 * 60_000;

export class Rebalance {
  private readonly seams: RebalanceSeams;

  constructor(seams: RebalanceSeams) {
    this.seams = seams;
  }

  // ---- sessions ----

  /** The member was heard of. */
  renew(group: Group, member: Member, ms = member.sessionTimeoutMs): void {
    member.cancelSession();
    member.cancelSession = this.seams.clock.setTimer(ms, () => this.expire(group, member), true);
  }

  /** Waits for a newcomer to come again with the id it was given. */
  expect(group: Group, memberId: string, ms: number): void {
    const expire = () => {
      group.forgetExpected(memberId);
      this.joinedPerhaps(group);
    };
    group.expected.set(memberId, this.seams.clock.setTimer(ms, expire, true));
  }

  private expire(group: Group, member: Member): void {
    // While it waits for us nobody can expect heartbeats; but a newcomer that has left may wait in vain.
    const excused = !member.isNew && (member.join !== undefined || member.sync !== undefined);
    if (excused || group.members.get(member.id) !== member) return;
    this.remove(group, [member]);
  }

  // ---- members come and go ----

  add(group: Group, member: Member, protocolType: string): void {
    if (group.state === 'PreparingRebalance' && group.initial) group.newcomer = true;
    group.add(member, protocolType);
    this.renew(group, member, NEW_MEMBER_JOIN_TIMEOUT);
    this.rebalance(group);
  }

  remove(group: Group, members: readonly Member[]): void {
    for (const member of members) group.remove(member);
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.prepare(group);
    else this.joinedPerhaps(group);
  }

  /** A change that needs a new generation. */
  rebalance(group: Group): void {
    if (group.state === 'PreparingRebalance') this.joinedPerhaps(group);
    else this.prepare(group);
  }

  prepare(group: Group): void {
    if (group.state === 'CompletingRebalance') this.refuseAssignment(group, 'REBALANCE_IN_PROGRESS');
    group.unsynced.clear();
    group.cancelSyncTimer();
    const initial = group.state === 'Empty';
    group.enter('PreparingRebalance', this.seams.clock.now());
    if (initial) {
      const delay = this.seams.initialDelayMs;
      group.newcomer = false;
      this.gather(group, delay, Math.max(group.rebalanceTimeoutMs() - delay, 0));
    } else if (group.allJoined()) {
      this.complete(group);
    } else {
      this.completeAfter(group, group.rebalanceTimeoutMs());
    }
  }

  /** If it was only this change that the others waited for. */
  joinedPerhaps(group: Group): void {
    if (group.state === 'PreparingRebalance' && !group.initial && group.allJoined()) this.complete(group);
  }

  // ---- joining ----

  /** Waits once more whenever somebody came, up to the rebalance time-out. */
  private gather(group: Group, delay: number, remaining: number): void {
    group.cancelJoinTimer();
    const look = () => {
      if (!group.newcomer || remaining === 0) {
        this.complete(group);
        return;
      }
      group.newcomer = false;
      this.gather(group, Math.min(this.seams.initialDelayMs, remaining), Math.max(remaining - delay, 0));
    };
    group.cancelJoinTimer = this.seams.clock.setTimer(delay, look, true);
  }

  private completeAfter(group: Group, ms: number): void {
    group.cancelJoinTimer();
    group.cancelJoinTimer = this.seams.clock.setTimer(ms, () => this.complete(group), true);
  }

  private complete(group: Group): void {
    group.cancelJoinTimer();
    for (const member of [...group.members.values()]) {
      // A static member may be restarting: it keeps its place until its session ends.
      if (member.join === undefined && member.instanceId === null) group.remove(member);
    }
    if (group.members.size > 0 && !group.electLeader()) {
      this.completeAfter(group, group.rebalanceTimeoutMs());
      return;
    }
    group.nextGeneration(this.seams.clock.now());
    if (group.state === 'Empty') {
      // Should it be lost, a restart finds the last generation, whose members then time out.
      this.seams.write(group, new Map()).catch(() => undefined);
      return;
    }
    this.announce(group);
  }

  private announce(group: Group): void {
    for (const member of group.members.values()) {
      group.unsynced.add(member.id);
      member.isNew = false;
      const { join } = member;
      member.join = undefined;
      join?.(joined(group, member));
      this.renew(group, member);
    }
    const { generation } = group;
    const expire = () => {
      const late = [...group.unsynced].flatMap((id) => group.members.get(id) ?? []);
      if (group.generation === generation && late.length > 0) this.remove(group, late);
    };
    group.cancelSyncTimer = this.seams.clock.setTimer(group.rebalanceTimeoutMs(), expire, true);
  }

  // ---- assigning ----

  /** The member asks for its assignment, and if it is the leader brings everybody's. Needs CompletingRebalance. */
  sync(group: Group, member: Member, request: SyncRequest): void {
    this.synced(group, member);
    if (group.leaderId !== member.id) return;
    const assignments = new Map<string, Buffer>();
    for (const { memberId, assignment } of request.assignments) assignments.set(memberId, Buffer.from(assignment));
    const { generation } = group;
    const current = () => group.state === 'CompletingRebalance' && group.generation === generation;
    this.seams.write(group, assignments).then(
      () => {
        if (current()) this.settle(group, assignments);
      },
      (error: unknown) => {
        if (!current()) return;
        this.refuseAssignment(group, appendError(error));
        this.prepare(group);
      },
    );
  }

  /** The member has asked for this generation's assignment. */
  synced(group: Group, member: Member): void {
    group.unsynced.delete(member.id);
    if (group.unsynced.size === 0) group.cancelSyncTimer();
  }

  private settle(group: Group, assignments: ReadonlyMap<string, Buffer>): void {
    group.enter('Stable', this.seams.clock.now());
    for (const member of group.members.values()) {
      member.assignment = assignments.get(member.id) ?? EMPTY_BYTES;
      const { sync } = member;
      if (sync === undefined) continue;
      member.sync = undefined;
      sync({
        protocolType: group.protocolType ?? null,
        protocolName: group.protocolName ?? null,
        assignment: member.assignment,
      });
      this.renew(group, member);
    }
  }

  private refuseAssignment(group: Group, code: LogErrorCode): void {
    for (const member of group.members.values()) {
      member.assignment = EMPTY_BYTES;
      const { sync } = member;
      if (sync === undefined) continue;
      member.sync = undefined;
      sync(new LogError(code, `generation ${group.generation} of group '${group.id}' came to nothing: join again`));
      this.renew(group, member);
    }
  }
}

export function joined(group: Group, member: Member): JoinResult {
  return {
    memberId: member.id,
    generationId: group.generation,
    protocolType: group.protocolType ?? null,
    protocolName: group.protocolName ?? null,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    members: group.leaderId === member.id ? group.joined() : [],
  };
}
