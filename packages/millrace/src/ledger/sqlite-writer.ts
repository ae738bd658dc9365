/** The writing half of the SQLite ledger: entries go in, and the limits hold again, in one transaction. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { NewEntry } from './ledger.ts';
import { type LedgerLimits, limitsOf, type Shed } from './limits.ts';

/** Writes all of the entries, or none and throws. Gives back what had to be given up for space. */
export type WriteEntries = (entries: readonly NewEntry[]) => Shed;

interface Totals {
  entries: number;
  bytes: number;
  newest: number;
}

const INSERT = `INSERT OR IGNORE INTO entries
  (id, at, topology, component, input, cause, detail, spout, split, position, time, encoding, payload, shed)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const TOTALS = `SELECT count(*) AS entries, coalesce(sum(length(payload)), 0) AS bytes, coalesce(max(at), -9e999) AS newest
  FROM entries`;
const FORGET_OLD = 'DELETE FROM entries WHERE at < ? RETURNING coalesce(length(payload), 0) AS bytes';
const FORGET_FIRST = `DELETE FROM entries WHERE seq IN (SELECT seq FROM entries ORDER BY seq LIMIT ?)
  RETURNING coalesce(length(payload), 0) AS bytes`;
const PAYLOADS = 'SELECT seq, length(payload) AS bytes FROM entries WHERE length(payload) > 0 ORDER BY seq';
const GIVE_UP = 'UPDATE entries SET payload = NULL, shed = 1 WHERE seq = ?';

export function entryWriter(database: DatabaseSync, limits: LedgerLimits): WriteEntries {
  const { retentionMs, maxEntries, maxPayloadBytes } = limitsOf(limits);
  const insert = database.prepare(INSERT);
  const forgetOld = database.prepare(FORGET_OLD);
  const forgetFirst = database.prepare(FORGET_FIRST);
  const payloads = database.prepare(PAYLOADS);
  const giveUp = database.prepare(GIVE_UP);
  // Counted once and kept up from there: counting reads every entry. Only this process adds entries.
  const count = () => ({ ...database.prepare(TOTALS).get() }) as unknown as Totals;
  let totals = count();

  function add(entry: NewEntry): Shed {
    const bytes = entry.payload?.byteLength ?? 0;
    // One payload that is too large by itself does not cost the others theirs.
    const isTooLarge = bytes > maxPayloadBytes;
    const { origin, payload, time } = entry;
    const { changes } = insert.run(
      entry.id,
      entry.at,
      entry.topology,
      entry.component,
      entry.input ?? null,
      entry.cause,
      entry.detail,
      origin?.spout ?? null,
      origin?.split ?? null,
      origin?.position ?? null,
      time,
      entry.encoding,
      isTooLarge ? null : payload,
      isTooLarge ? 1 : 0,
    );
    if (changes === 0) return { payloads: 0, bytes: 0 };
    totals.entries++;
    totals.newest = Math.max(totals.newest, entry.at);
    if (isTooLarge) return { payloads: 1, bytes };
    totals.bytes += bytes;
    return { payloads: 0, bytes: 0 };
  }

  function forget(): void {
    subtract(forgetOld.iterate(totals.newest - retentionMs));
    const excess = totals.entries - maxEntries;
    if (excess > 0) subtract(forgetFirst.iterate(excess));
  }

  function subtract(gone: Iterable<Record<string, SQLOutputValue>>): void {
    for (const { bytes } of gone) {
      totals.entries--;
      totals.bytes -= Number(bytes);
    }
  }

  function shed(): Shed {
    const given: number[] = [];
    const before = totals.bytes;
    if (totals.bytes > maxPayloadBytes)
      for (const row of payloads.iterate()) {
        given.push(Number(row.seq));
        totals.bytes -= Number(row.bytes);
        if (totals.bytes <= maxPayloadBytes) break;
      }
    for (const seq of given) giveUp.run(seq);
    return { payloads: given.length, bytes: before - totals.bytes };
  }

  return (entries) => {
    try {
      database.exec('BEGIN IMMEDIATE');
      const given = entries.map(add);
      forget();
      given.push(shed());
      database.exec('COMMIT');
      return {
        payloads: given.reduce((sum, { payloads }) => sum + payloads, 0),
        bytes: given.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (database.isOpen && database.isTransaction) database.exec('ROLLBACK');
      if (database.isOpen) totals = count();
      throw error;
    }
  };
}
