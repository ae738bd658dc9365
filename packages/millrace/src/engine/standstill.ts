/**
 * Says unasked, in the log, why nothing comes out: of a component in which event timers wait and that has given no output
 * for a minute. Where event time stands still it is said once, and again when it stands for another reason, or after ten
 * minutes, unless all sources are idle; where it moves on, only of a component that has never given anything. Looks at
 * counters every ten seconds, and not at all in a topology without event timers.
 */
import { formatDuration } from '../duration.ts';
import type { Explanation, Moment } from './explanation.ts';
import { momentOf } from './explanation.ts';
import { explanationText } from './explanation-text.ts';
import type { Station } from './station.ts';
import { hasEventTimers, statesOf, timeMetrics } from './station-time.ts';

const LOOK = 10_000;
const SILENT = 60_000;
const AGAIN = 600_000;
/** The reason where event time goes on. */
const MOVES = 'moves';

interface Watched {
  readonly station: Station;
  /** What it had given, and how far its event time had come, and since when that is so (monotonic). */
  emitted: number;
  emittedSince: number;
  watermark: Moment | undefined;
  watermarkSince: number;
  told: { readonly at: number; readonly why: string; readonly watermark: Moment } | undefined;
}

/** One to be told of now. */
interface Still {
  readonly watched: Watched;
  readonly explanation: Explanation;
  readonly why: string;
}

export class Standstill {
  readonly #watched: readonly Watched[];
  readonly #explain: (component: string) => Explanation;

  constructor(stations: readonly Station[], explain: (component: string) => Explanation) {
    this.#explain = explain;
    this.#watched = stations.filter(hasEventTimers).map((station) => {
      const now = station.worker.runtime.clock.monotonic();
      const { watermark } = timeMetrics(station, now);
      return { station, emitted: 0, emittedSince: now, watermark, watermarkSince: now, told: undefined };
    });
  }

  /** `active`: the spouts give what they have, so silence means something. */
  start(active: () => boolean): void {
    const { worker } = this.#watched[0]?.station ?? {};
    if (worker === undefined || worker.dead) return;
    worker.runtime.timers.after(LOOK, () => {
      const now = worker.runtime.clock.monotonic();
      const isActive = active();
      this.#tell(
        this.#watched.flatMap((watched) => this.#look(watched, isActive, now) ?? []),
        now,
      );
      this.start(active);
    });
  }

  #look(watched: Watched, active: boolean, now: number): Still | undefined {
    const { station } = watched;
    const { watermark } = timeMetrics(station, now);
    if (watermark !== watched.watermark) watched.watermarkSince = now;
    watched.watermark = watermark;
    const { streams } = station.metrics;
    // A bolt without outputs has done something when event time has moved.
    const given =
      streams.length === 0 ? watched.watermarkSince : streams.reduce((sum, { emitted }) => sum + emitted, 0);
    if (given === watched.emitted && active && isWaiting(station))
      return now - watched.emittedSince >= SILENT ? this.#still(watched, now) : undefined;
    Object.assign(watched, { emitted: given, emittedSince: now, told: undefined });
    return undefined;
  }

  /** Undefined if nothing is to be said again. */
  #still(watched: Watched, now: number): Still | undefined {
    const { station, told, watermarkSince } = watched;
    const stands = now - watermarkSince >= SILENT;
    const moves = now === watermarkSince;
    if (!stands && (!moves || told !== undefined || watched.emitted > 0)) return undefined;
    const explanation = this.#explain(station.id);
    if (stands && explanation.holders[0]?.clock !== undefined) return undefined; // it is about to move
    const why = stands ? reason(explanation) : MOVES;
    const isNew = told === undefined || (why !== told.why && explanation.watermark === told.watermark);
    // That no records come is known by then.
    if (!isNew && (explanation.state === 'idle' || now - told.at < AGAIN)) return undefined;
    watched.told = { at: now, why, watermark: explanation.watermark };
    return { watched, explanation, why };
  }

  /** Those that stand still for the same reason are told of together. */
  #tell(all: readonly Still[], now: number): void {
    for (const [first, ...others] of Map.groupBy(all, ({ why }) => why).values()) {
      const { station, emittedSince } = first!.watched;
      const text = explanationText(first!.explanation);
      const why = first!.why === MOVES ? `${text[0]} It moves on.` : text.join(' ');
      const names = others.map(({ watched }) => `'${watched.station.id}'`);
      const same = names.length > 0 ? ` So it is with ${names.join(', ')}.` : '';
      const silent = `has given nothing for ${formatDuration(now - emittedSince)}`;
      station.worker.options.log(station.id, `${silent}. ${why}${same}`);
    }
  }
}

/** Timers that wait for the end of the input do not count. */
function isWaiting(station: Station): boolean {
  return statesOf(station).some((state) => momentOf(state.next('event')) !== 'the end');
}

/** Equal for the same reason. */
function reason({ state, holders: [first] }: Explanation): string {
  const waits = first?.waits.map(({ kind }) => kind) ?? [];
  return [state, first?.component, first?.task, first?.split?.split, ...waits].join(' ');
}
