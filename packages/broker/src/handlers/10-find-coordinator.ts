import { LogError } from '../errors.ts';
import { FindCoordinator } from '../protocol/messages/groups.ts';
import { handler } from '../server/handler.ts';

/**
 * FindCoordinator, v0–6: of groups and of transactions, several at once from version 4 on. It is always this broker, at
 * the address by which the client has come. Left out: coordinators of share groups (key type 2, version 6).
 */
const GROUP = 0;
const TRANSACTION = 1;

export const findCoordinator = handler(
  FindCoordinator,
  ({ keyType, coordinatorKeys }, { client, broker }) => {
    if (keyType !== GROUP && keyType !== TRANSACTION) {
      throw new LogError(
        'INVALID_REQUEST',
        `key type ${keyType} has no coordinator here; ${GROUP} (groups) and ${TRANSACTION} (transactions) have`,
      );
    }
    const found = { nodeId: broker.nodeId, ...client.endpoint, errorCode: 0, errorMessage: null };
    return { ...found, coordinators: coordinatorKeys.map((one) => ({ key: one, ...found })) };
  },
  ({ coordinatorKeys }, errorCode, errorMessage) => {
    const none = { nodeId: -1, host: '', port: -1, errorCode, errorMessage };
    return { ...none, coordinators: coordinatorKeys.map((key) => ({ key, ...none })) };
  },
);
