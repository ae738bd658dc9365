import { errorNumber } from '../errors.ts';
import { JoinGroup } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/**
 * JoinGroup, v0–9, of the classic group protocol. Answered when the group's next generation is there, which may take as
 * long as the longest rebalance time-out of its members. From version 4 on a newcomer is first given its member id; from
 * 9 on a returning leader may be told to skip assigning. Left out: groups of the new protocol.
 */
const MEMBER_ID_SINCE = 4;
const NULL_PROTOCOL_SINCE = 7;
const SKIP_ASSIGNMENT_SINCE = 9;

export const joinGroup = handler(
  JoinGroup,
  async (request, { version, client, broker }) => {
    const { sessionTimeoutMs, memberId, groupInstanceId, protocolType, protocols } = request;
    const { error, ...joined } = await broker.groups.join({
      group: request.groupId,
      memberId,
      groupInstanceId,
      clientId: client.id,
      // As Java prints an address, which is what tools expect to see.
      clientHost: `/${client.host}`,
      sessionTimeoutMs,
      // Version 0 knew one time-out for both.
      rebalanceTimeoutMs: version === 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType,
      protocols,
      requireKnownMemberId: version >= MEMBER_ID_SINCE,
      canSkipAssignment: version >= SKIP_ASSIGNMENT_SINCE,
    });
    const protocolName = joined.protocolName ?? (version >= NULL_PROTOCOL_SINCE ? null : '');
    return { ...joined, protocolName, members: [...joined.members], errorCode: errorNumber(error) };
  },
  ({ memberId }, errorCode) => ({ errorCode, protocolName: '', leader: '', memberId, members: [] }),
);
