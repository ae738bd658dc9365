import { errorNumber } from '../errors.ts';
import { DescribeGroups } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';
import { groupOperations } from './operations.ts';

/**
 * DescribeGroups, v0–6. A group that does not exist is Dead; version 6 also says GROUP_ID_NOT_FOUND. The members' bytes
 * are there while the group is Stable. Without authorization everybody may do everything.
 */
const NOT_FOUND_SINCE = 6;

export const describeGroups = handler(
  DescribeGroups,
  ({ groups, includeAuthorizedOperations }, { version, broker }) => ({
    groups: groups.map((groupId) => {
      const found = broker.groups.describe(groupId);
      const missing = found === undefined && version >= NOT_FOUND_SINCE;
      return {
        errorCode: missing ? errorNumber('GROUP_ID_NOT_FOUND') : 0,
        errorMessage: missing ? `Group ${groupId} not found.` : null,
        groupId,
        groupState: found?.state ?? 'Dead',
        protocolType: found?.protocolType ?? '',
        protocolData: found?.protocolName ?? '',
        members: (found?.members ?? []).map(({ metadata, assignment, ...member }) => ({
          ...member,
          memberMetadata: metadata,
          memberAssignment: assignment,
        })),
        ...(includeAuthorizedOperations ? { authorizedOperations: groupOperations } : {}),
      };
    }),
  }),
  ({ groups }, errorCode, errorMessage) => ({
    groups: groups.map((groupId) => ({
      errorCode,
      errorMessage,
      groupId,
      groupState: '',
      protocolType: '',
      protocolData: '',
      members: [],
    })),
  }),
);
