import { codeOf, LogError, type LogErrorCode } from '../errors.ts';

/**
 * What a client is told when `__consumer_offsets` cannot be written: as from Kafka's own coordinator, something that makes
 * it look for the coordinator again and come back, while a storage error would end it.
 */
export function appendError(error: unknown): LogErrorCode {
  const code = codeOf(error);
  return code === 'KAFKA_STORAGE_ERROR' || code === 'LOG_CLOSED' ? 'NOT_COORDINATOR' : code;
}

export async function appended(writing: Promise<void>): Promise<void> {
  try {
    await writing;
  } catch (error) {
    if (error instanceof LogError) throw new LogError(appendError(error), error.message, { cause: error });
    throw error;
  }
}
