/** How much a ledger keeps. The same limits, in the same order, hold for every store. */
import { type Duration, milliseconds } from '../duration.ts';

/** A counted notice: payloads given up for space. Their entries stay. */
export interface Shed {
  readonly payloads: number;
  readonly bytes: number;
}

export interface LedgerLimits {
  /** Entries older than the newest one by more than this are deleted. Default '7d'. */
  readonly retention?: Duration;
  /** Beyond this many entries the oldest are deleted. Default 100 000. */
  readonly maxEntries?: number;
  /** Beyond this many bytes of payload the oldest payloads are given up, their entries kept. Default 64 MiB. */
  readonly maxPayloadBytes?: number;
  /** Told after each write that gave up payloads. */
  readonly onShed?: (shed: Shed) => void;
}

export function limitsOf(limits: LedgerLimits): Required<LedgerLimits> & { readonly retentionMs: number } {
  const { retention = '7d', maxEntries = 100_000, maxPayloadBytes = 64 * 1024 * 1024, onShed = () => {} } = limits;
  return { retention, retentionMs: milliseconds(retention), maxEntries, maxPayloadBytes, onShed };
}
