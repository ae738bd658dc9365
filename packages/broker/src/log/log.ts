import { LogError } from '../errors.ts';
import type { Log, LogOptions } from './api.ts';

/** Opens a data directory: takes it, recovers it, serves it. */
export async function openLog(options: LogOptions): Promise<Log> {
  throw new LogError('LOG_CLOSED', `the log in ${options.directory} cannot be opened yet`);
}
