/** The ledger's entries, over the ledger that this process has open. */
import { MillraceError } from '../../errors.ts';
import type { Ledger, LedgerCause, LedgerEntry } from '../../ledger/ledger.ts';
import type { EntrySummary, Methods } from '../api.ts';
import { toBase64 } from '../api.ts';
import { readParams, wrong } from './params.ts';

const CAUSES: readonly LedgerCause[] = ['null', 'malformed', 'key', 'error', 'late', 'time', 'dropped'];

export function ledgerMethods(ledger: Ledger): Methods<'ledger.list' | 'ledger.show'> {
  return {
    'ledger.list'(params) {
      const read = readParams(params);
      const topology = read.optionalText('topology');
      const component = read.optionalText('component');
      const cause = read.optionalText('cause');
      const limit = read.optionalCount('limit');
      if (cause !== undefined && !isCause(cause)) throw wrong(`'${cause}' is no cause: ${CAUSES.join(', ')}`);
      const query = {
        ...(topology === undefined ? {} : { topology }),
        ...(component === undefined ? {} : { component }),
        ...(cause === undefined ? {} : { cause }),
        ...(limit === undefined ? {} : { limit }),
      };
      return { entries: ledger.list(query).map(summary), counts: ledger.counts() };
    },
    'ledger.show'(params) {
      const entry = entryOf(ledger, readParams(params).text('id'));
      return { ...summary(entry), payload: toBase64(entry.payload) };
    },
  };
}

export function entryOf(ledger: Ledger, id: string): LedgerEntry {
  const entry = ledger.get(id);
  if (!entry)
    throw new MillraceError('MR_LEDGER_ENTRY', [id, "is not in the ledger: 'millrace ledger list' shows what is"]);
  return entry;
}

function isCause(text: string): text is LedgerCause {
  return (CAUSES as readonly string[]).includes(text);
}

function summary({ payload, ...entry }: LedgerEntry): EntrySummary {
  return { ...entry, size: payload?.length ?? null };
}
