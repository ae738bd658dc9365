/** A ledger in memory: for tests, and for runs that keep nothing. It survives no crash, and says nothing else. */
import type { Ledger, LedgerEntry, LedgerQuery, NewEntry } from './ledger.ts';
import { type LedgerLimits, limitsOf } from './limits.ts';

export function memoryLedger(limits: LedgerLimits = {}): Ledger {
  const { retentionMs, maxEntries, maxPayloadBytes, onShed } = limitsOf(limits);
  /** By id, oldest first. */
  const entries = new Map<string, LedgerEntry>();
  /** The ids of those that still have a payload, oldest first. */
  const paid = new Map<string, number>();
  let payloadBytes = 0;
  let newest = Number.NEGATIVE_INFINITY;

  function remove(id: string): void {
    entries.delete(id);
    payloadBytes -= paid.get(id) ?? 0;
    paid.delete(id);
  }

  function shed(id: string, bytes: number): void {
    entries.set(id, { ...entries.get(id)!, payload: null, shed: true });
    payloadBytes -= bytes;
    paid.delete(id);
  }

  function add(entry: NewEntry): void {
    const bytes = entry.payload?.byteLength ?? 0;
    const payload = entry.payload && Uint8Array.from(entry.payload);
    entries.set(entry.id, { ...entry, payload, shed: false, replayed: undefined });
    if (bytes > 0) paid.set(entry.id, bytes);
    payloadBytes += bytes;
    newest = Math.max(newest, entry.at);
  }

  function enforce(added: NewEntry): void {
    for (const { id, at } of entries.values()) {
      if (entries.size <= maxEntries && at >= newest - retentionMs) break;
      remove(id);
    }
    let payloads = 0;
    const before = payloadBytes;
    const own = paid.get(added.id) ?? 0;
    // One payload that is too large by itself does not cost the others theirs.
    const candidates = own > maxPayloadBytes ? [[added.id, own] as const] : paid;
    for (const [id, bytes] of candidates) {
      if (payloadBytes <= maxPayloadBytes) break;
      shed(id, bytes);
      payloads++;
    }
    if (payloads > 0) onShed({ payloads, bytes: before - payloadBytes });
  }

  return {
    record: async (entry) => {
      if (entries.has(entry.id)) return;
      add(entry);
      enforce(entry);
    },
    list: (query = {}) =>
      Array.from(entries.values())
        .reverse()
        .filter(asked(query))
        .slice(0, query.limit ?? 100),
    get: (id) => entries.get(id),
    counts: () => countsOf(entries.values()),
    markReplayed(id, at) {
      const entry = entries.get(id);
      if (entry) entries.set(id, { ...entry, replayed: at });
    },
    close: async () => {},
  };
}

function asked(query: LedgerQuery): (entry: LedgerEntry) => boolean {
  const { topology, component, cause } = query;
  return (entry) =>
    (topology === undefined || entry.topology === topology) &&
    (component === undefined || entry.component === component) &&
    (cause === undefined || entry.cause === cause);
}

function countsOf(entries: Iterable<LedgerEntry>): ReturnType<Ledger['counts']> {
  const groups = new Map<string, { -readonly [F in keyof Counted]: Counted[F] }>();
  for (const { topology, component, cause, shed } of entries) {
    const name = JSON.stringify([topology, component, cause]);
    const group = groups.get(name) ?? { topology, component, cause, count: 0, shed: 0 };
    group.count++;
    if (shed) group.shed++;
    groups.set(name, group);
  }
  return [...groups.keys()].sort().map((name) => groups.get(name)!);
}
type Counted = ReturnType<Ledger['counts']>[number];
