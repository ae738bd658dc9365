import { ListGroups } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/** ListGroups, v0–5, by state and by type. Left out: the types of the new protocols, of which there are no groups. */
export const listGroups = handler(
  ListGroups,
  ({ statesFilter, typesFilter }, { broker }) => ({
    errorCode: 0,
    groups: broker.groups.list(statesFilter, typesFilter).map(({ group, protocolType, state, type }) => ({
      groupId: group,
      protocolType,
      groupState: state,
      groupType: type,
    })),
  }),
  (_, errorCode) => ({ errorCode, groups: [] }),
);
