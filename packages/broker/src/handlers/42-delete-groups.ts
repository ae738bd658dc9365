import { codeOf, errorNumber, LogError } from '../errors.ts';
import { DeleteGroups } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/** DeleteGroups, v0–3: groups without members, with all that they committed. Nothing is left out. */
export const deleteGroups = handler(
  DeleteGroups,
  async ({ groupsNames }, { broker }) => ({
    throttleTimeMs: 0,
    results: await Promise.all(
      groupsNames.map(async (groupId) => {
        try {
          await broker.groups.delete(groupId);
          return { groupId, errorCode: 0 };
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          return { groupId, errorCode: errorNumber(codeOf(error)), errorMessage: error.message };
        }
      }),
    ),
  }),
  ({ groupsNames }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: groupsNames.map((groupId) => ({ groupId, errorCode, errorMessage })),
  }),
);
