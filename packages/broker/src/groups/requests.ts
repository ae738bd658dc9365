import type { LogErrorCode } from '../errors.ts';

/**
 * What is asked of the group coordinator and what it answers, as plain objects. Bytes of members (subscriptions,
 * assignments) mean nothing to the coordinator; it copies what it keeps. Times are in ms.
 */
export interface Protocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface JoinRequest {
  readonly group: string;
  /** '' from who has none yet. */
  readonly memberId: string;
  /** Of a static member (KIP-345). */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the member's order of preference. */
  readonly protocols: readonly Protocol[];
  /** A newcomer is given an id and asked to come again with it (KIP-394): JoinGroup from version 4 on. */
  readonly requireKnownMemberId: boolean;
  /** The client knows `skipAssignment` (KIP-814): JoinGroup from version 9 on. */
  readonly canSkipAssignment: boolean;
}

/** Refusals are answers too, because one of them, MEMBER_ID_REQUIRED, brings the member's new id. */
export interface JoinResult {
  readonly error?: LogErrorCode;
  readonly memberId: string;
  /** -1 with an error, as the rest is empty. */
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  /** For the leader, who assigns; none for the others. */
  readonly members: readonly JoinedMember[];
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** A member that speaks of one generation. */
export interface MemberRequest {
  readonly group: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number;
}

export interface SyncRequest extends MemberRequest {
  /** null from clients that do not say. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** The leader's; ignored from others. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export interface SyncResult {
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

/** By member id, or by instance id alone (memberId ''), when an operator removes a static member. */
export interface LeavingMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface LeaveResult extends LeavingMember {
  readonly error?: LogErrorCode;
}

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

export interface GroupDescription {
  readonly group: string;
  readonly state: GroupState;
  /** '' of a group that only ever committed offsets. */
  readonly protocolType: string;
  /** '' unless Stable, when members have their bytes, too. */
  readonly protocolName: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly metadata: Buffer;
    readonly assignment: Buffer;
  }[];
}

export interface ListedGroup {
  readonly group: string;
  readonly protocolType: string;
  readonly state: GroupState;
  readonly type: 'classic';
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1 when the client does not say. */
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

export interface OffsetCommitRequest extends MemberRequest {
  readonly offsets: readonly OffsetToCommit[];
  /** How long to keep them, from now; absent means the broker's retention. OffsetCommit before version 5 may say it. */
  readonly retentionTimeMs?: number;
}

export interface PartitionResult {
  readonly topic: string;
  readonly partition: number;
  readonly error?: LogErrorCode;
}

export interface FetchedOffset extends PartitionResult {
  /** -1 when none is committed, and with an error. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}
