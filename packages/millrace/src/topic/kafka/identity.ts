/** Producer ids and their epochs, by which brokers know who wrote what already and who may write. */
import type { Cluster } from './cluster.ts';
import { check } from './failure.ts';
import type { InitProducerIdRequest, InitProducerIdResponse } from './wire.ts';

export interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** After so long without its end the brokers abort a transaction. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/** Of a producer without transactions. */
export async function newIdentity(cluster: Cluster): Promise<Identity> {
  return identityOf(await cluster.ask(undefined, 'InitProducerId', requestFor(null)), 'to give out a producer id');
}

export function requestFor(transactionalId: string | null): InitProducerIdRequest {
  return [transactionalId, TRANSACTION_TIMEOUT_MS, undefined, undefined];
}

export function identityOf(response: InitProducerIdResponse, doing: string): Identity {
  check(response.errorCode, doing);
  return { producerId: response.producerId, producerEpoch: response.producerEpoch };
}
