/**
 * Says unasked, in the log, why nothing comes out: of a component in which event timers wait and that has given no output
 * for a minute. Where event time stands still it is said once, and again when it stands for another reason, or after ten
 * minutes; where it moves on, only of a component that has never given anything. Looks at counters every ten seconds, and
 * not at all in a topology without event timers.
 */
import { formatDuration } from '../duration.ts';
import { hasEventTimers, timeMetrics } from './explainer.ts';
import type { Explanation, Moment } from './explanation.ts';
import { explanationText } from './explanation-text.ts';
import type { Station } from './station.ts';

const LOOK = 10_000;
const SILENT = 60_000;
const AGAIN = 600_000;

interface Watched {
  readonly station: Station;
  /** What it had given, and how far its event time had come, and since when that is so (monotonic). */
  emitted: number;
  emittedSince: number;
  watermark: Moment | undefined;
  watermarkSince: number;
  told: { readonly at: number; readonly why: string; readonly watermark: Moment } | undefined;
}

export class Standstill {
  readonly #watched: readonly Watched[];
  readonly #explain: (component: string) => Explanation;

  constructor(stations: readonly Station[], explain: (component: string) => Explanation) {
    this.#explain = explain;
    this.#watched = stations.filter(hasEventTimers).map((station) => {
      const now = station.worker.runtime.clock.monotonic();
      return { station, emitted: 0, emittedSince: now, watermark: undefined, watermarkSince: now, told: undefined };
    });
  }

  /** `active`: the spouts give what they have, so silence means something. */
  start(active: () => boolean): void {
    const { worker } = this.#watched[0]?.station ?? {};
    if (worker === undefined || worker.dead) return;
    worker.runtime.timers.after(LOOK, () => {
      for (const watched of this.#watched) this.#look(watched, active());
      this.start(active);
    });
  }

  #look(watched: Watched, active: boolean): void {
    const { station } = watched;
    const now = station.worker.runtime.clock.monotonic();
    const { watermark } = timeMetrics(station, now);
    if (watermark !== watched.watermark) watched.watermarkSince = now;
    watched.watermark = watermark;
    const { streams } = station.metrics;
    // A bolt without outputs has done something when event time has moved.
    const given =
      streams.length === 0 ? watched.watermarkSince : streams.reduce((sum, { emitted }) => sum + emitted, 0);
    if (given !== watched.emitted || !active || !this.#hasTimers(station)) {
      Object.assign(watched, { emitted: given, emittedSince: now, told: undefined });
    } else if (now - watched.emittedSince >= SILENT) this.#tell(watched, now);
  }

  #tell(watched: Watched, now: number): void {
    const { station, told, emittedSince, watermarkSince } = watched;
    const stands = now - watermarkSince >= SILENT;
    if (!stands && (told !== undefined || watched.emitted > 0)) return;
    const explanation = this.#explain(station.id);
    const why = stands ? reason(explanation) : 'moves';
    const { watermark } = explanation;
    const isNew = told === undefined || (why !== told.why && watermark === told.watermark);
    if (!isNew && now - told.at < AGAIN) return;
    watched.told = { at: now, why, watermark };
    const text = explanationText(explanation);
    const shown = stands ? text.join(' ') : `${text[0]} It moves on.`;
    station.worker.options.log(station.id, `has given nothing for ${formatDuration(now - emittedSince)}. ${shown}`);
  }

  #hasTimers(station: Station): boolean {
    return station.tasks.some((task) => (task.timeReport()?.state?.pending('event') ?? 0) > 0);
  }
}

/** Equal for the same reason. */
function reason({ state, holders: [first] }: Explanation): string {
  const waits = first?.waits.map(({ kind }) => kind) ?? [];
  return [state, first?.component, first?.task, first?.split?.split, ...waits].join(' ');
}
