/** The log and the ledger of a data directory that this process owns, and the methods over these and over its checkpoints. */
import type { Log } from '@millrace/broker';
import { fileStorage, openLog } from '@millrace/broker';
import type { Ledger } from '../ledger/ledger.ts';
import type { Shed } from '../ledger/limits.ts';
import { sqliteLedger } from '../ledger/sqlite.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { DataDirectory } from './data-directory.ts';
import { keptCheckpointMethods } from './methods/checkpoint-methods.ts';
import { ledgerMethods } from './methods/ledger-methods.ts';
import { logMethods } from './methods/log-methods.ts';

export interface Files {
  readonly log: Log;
  readonly ledger: Ledger;
  readonly methods: ReturnType<typeof logMethods> &
    ReturnType<typeof ledgerMethods> &
    ReturnType<typeof keptCheckpointMethods>;
  close(): Promise<void>;
}

/** `onShed` hears of payloads that the ledger gave up for space; `fsync` is the log's, true by default. */
export async function openFiles(
  data: DataDirectory,
  { random, timers }: Runtime,
  onShed: (shed: Shed) => void = () => {},
  { fsync = true } = {},
): Promise<Files> {
  const log = await openLog({ directory: data.log, random, fsync });
  const ledger = sqliteLedger(data.ledger, { timers, onShed });
  const checkpoints = keptCheckpointMethods({ folder: data.checkpoints, storage: fileStorage(), timers });
  return {
    log,
    ledger,
    methods: { ...logMethods(log), ...ledgerMethods(ledger), ...checkpoints },
    async close() {
      await log.close();
      await ledger.close();
    },
  };
}
