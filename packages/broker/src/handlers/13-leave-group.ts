import { errorNumber } from '../errors.ts';
import { LeaveGroup } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/**
 * LeaveGroup, v0–5: one member, from version 3 on several, static ones by their instance id alone. Left out: the reason,
 * which nobody would read.
 */
const SEVERAL_SINCE = 3;

export const leaveGroup = handler(
  LeaveGroup,
  ({ groupId, memberId, members }, { version, broker }) => {
    if (version < SEVERAL_SINCE) {
      const [result] = broker.groups.leave(groupId, [{ memberId, groupInstanceId: null }]);
      return { errorCode: errorNumber(result?.error), members: [] };
    }
    const results = broker.groups.leave(groupId, members);
    return {
      errorCode: 0,
      members: results.map(({ error, ...member }) => ({ ...member, errorCode: errorNumber(error) })),
    };
  },
  (_, errorCode) => ({ errorCode, members: [] }),
);
