import { LogError } from '../errors.ts';

/**
 * Rethrows an error by the name that a client of this version knows: before PRODUCER_FENCED there was
 * INVALID_PRODUCER_EPOCH alone (KIP-360, KIP-588).
 */
export function knownSince(fencedSince: number, version: number): (error: unknown) => never {
  return (error) => {
    const old = version < fencedSince && error instanceof LogError && error.code === 'PRODUCER_FENCED';
    throw old ? new LogError('INVALID_PRODUCER_EPOCH', error.message, { cause: error }) : error;
  };
}
