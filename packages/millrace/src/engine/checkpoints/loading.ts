/**
 * What a start has not restored yet: keys that no step has asked for. They come in the background, in slices, while the flow
 * goes on; the files that they are in stay until then.
 */
import type { SavedCheckpoint } from '../../checkpoints/checkpoint-store.ts';
import { formatDuration, formatTime } from '../../duration.ts';
import { epochText } from '../../topology/epoch.ts';
import type { Station } from '../station.ts';
import type { Worker } from '../worker.ts';

/** How long (ms) it may keep the thread. A key group of a million keys takes some milliseconds. */
const SLICE = 2;

/** Says when all of it is there, `since` a monotonic time. */
export function loadRest(worker: Worker, stations: readonly Station[], saved: SavedCheckpoint, since: number): void {
  const { clock, timers } = worker.runtime;
  const states = stations.flatMap(({ tasks }) => tasks.flatMap((task) => task.timeReport()?.state ?? []));
  const slice = () => {
    if (worker.dead) return saved.release();
    const until = clock.monotonic() + SLICE;
    try {
      for (let i = 0; i < states.length; ) {
        if (!states[i]!.load()) i++;
        else if (clock.monotonic() > until) return timers.soon(slice);
      }
    } catch (thrown) {
      // What cannot be read has ended the topology, and its end tells why.
      if (!worker.dead) throw thrown;
      return saved.release();
    }
    saved.release();
    const { epoch, facts } = saved.info;
    const keys = states.reduce((sum, { size }) => sum + size, 0);
    const took = formatDuration(Math.round(clock.monotonic() - since));
    worker.options.log(
      undefined,
      `restored checkpoint ${epochText(epoch)} of ${formatTime(facts.at)}: ${keys === 1 ? '1 key' : `${keys} keys`}, all there after ${took}`,
    );
  };
  timers.soon(slice);
}
