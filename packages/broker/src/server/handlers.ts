import { produce } from '../handlers/00-produce.ts';
import { fetch } from '../handlers/01-fetch.ts';
import { listOffsets } from '../handlers/02-list-offsets.ts';
import { apiVersions } from '../handlers/18-api-versions.ts';
import { offsetForLeaderEpoch } from '../handlers/23-offset-for-leader-epoch.ts';
import type { Handler } from './handler.ts';

/** Every API that is served. */
export const handlers: readonly Handler[] = [produce, fetch, listOffsets, apiVersions, offsetForLeaderEpoch];
