/**
 * Signals of a run: the first SIGINT, SIGTERM or SIGHUP drains, the next leaves at once. npm hands on the terminal's
 * SIGINT to a process that has had it already, so what follows within a moment is the same signal.
 */
import type { Clock } from '../runtime/runtime.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SAME_WITHIN = 100;

/** The function given back removes the handlers. */
export function onSignals(clock: Clock, drain: () => void, leave: () => void): () => void {
  let first: number | undefined;
  const receive = (): void => {
    const now = clock.monotonic();
    if (first === undefined) {
      first = now;
      drain();
    } else if (now - first > SAME_WITHIN) {
      leave();
    }
  };
  for (const signal of SIGNALS) process.on(signal, receive);
  return () => {
    for (const signal of SIGNALS) process.off(signal, receive);
  };
}
