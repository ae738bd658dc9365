import { Heartbeat } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/** Heartbeat, v0–4: keeps a member's session, and tells it of a rebalance. Nothing is left out. */
export const heartbeat = handler(
  Heartbeat,
  ({ groupId: group, generationId, memberId, groupInstanceId }, { broker }) => {
    broker.groups.heartbeat({ group, generationId, memberId, groupInstanceId });
    return { errorCode: 0 };
  },
  (_, errorCode) => ({ errorCode }),
);
