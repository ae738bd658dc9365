/** What a run says of its checkpoints: the defaults, and what is refused. */
import type { Duration } from '../duration.ts';
import type { CheckpointOptions } from '../engine/engine-options.ts';
import { checkCount, checkDuration } from '../topology/options.ts';

export interface CheckpointSettings {
  /** From the start of one checkpoint to the start of the next. Default 100 ms. */
  readonly interval?: Duration;
  /** From the end of one to the start of the next, at least. Default 10 ms. */
  readonly pause?: Duration;
  /** One that takes longer is given up, and what it had goes into the next. Default 1 minute. */
  readonly timeout?: Duration;
  /** How many checkpoints are kept, to go on from. Default 3. */
  readonly retain?: number;
}

const MB = 1_000_000;
/** An epoch whose outputs come to so much is cut early; while so much, or so many epochs, wait to be published, spouts wait. */
const OUTBOX: CheckpointOptions['outbox'] = { bytes: 4 * MB, total: 64 * MB, epochs: 64 };

export type CheckedSettings = Pick<CheckpointOptions, 'interval' | 'pause' | 'timeout' | 'outbox'> & {
  readonly retain: number;
};

/** MR_OPTION names the topology and what is wrong. */
export function checkpointSettings(topology: string, settings: CheckpointSettings = {}): CheckedSettings {
  const { interval = 100, pause = 10, timeout = '1m', retain = 3 } = settings;
  checkCount(topology, 'checkpoints.retain', retain, 10_000);
  return {
    interval: checkDuration(topology, 'checkpoints.interval', interval, 1),
    pause: checkDuration(topology, 'checkpoints.pause', pause, 0),
    timeout: checkDuration(topology, 'checkpoints.timeout', timeout, 1),
    retain,
    outbox: OUTBOX,
  };
}
