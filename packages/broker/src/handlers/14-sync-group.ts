import { LogError } from '../errors.ts';
import { EMPTY_BYTES } from '../groups/group.ts';
import { SyncGroup } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/**
 * SyncGroup, v0–5: brings the leader's assignment, and takes the member's own. Answered when the leader's is durable.
 * Nothing is left out.
 */
const PROTOCOL_SINCE = 5;

export const syncGroup = handler(
  SyncGroup,
  async (request, { version, broker }) => {
    const {
      groupId: group,
      generationId,
      memberId,
      groupInstanceId,
      protocolType,
      protocolName,
      assignments,
    } = request;
    if (version >= PROTOCOL_SINCE && (protocolType === null || protocolName === null)) {
      throw new LogError(
        'INCONSISTENT_GROUP_PROTOCOL',
        'from version 5 on a SyncGroup names protocol type and protocol',
      );
    }
    const identity = { group, generationId, memberId, groupInstanceId };
    const result = await broker.groups.sync({ ...identity, protocolType, protocolName, assignments });
    return { errorCode: 0, ...result };
  },
  (_, errorCode) => ({ errorCode, assignment: EMPTY_BYTES }),
);
