/** Clicks of simulated visitors: visits of a few pages, an hour or more apart. The same seed, the same clicks. */
import * as z from 'zod';

export type Click = z.infer<typeof Click>;
export const Click = z.object({
  visitor: z.string().min(1),
  page: z.string().startsWith('/'),
  /** Event time: when it was clicked, milliseconds since 1970. */
  at: z.int().nonnegative(),
});

const PAGES = ['/', '/mills', '/mills/water', '/mills/wind', '/basket', '/checkout', '/about'];
export const VISITORS = 20;
/** Within a visit clicks are at most this far apart. */
const LONGEST_LOOK = 10 * 60_000;
/** Between two visits is at least this. */
const SHORTEST_BREAK = 60 * 60_000;

/** A day of clicks from `start` on, in the order in which they reach the server: up to a minute late. */
export function clicks(seed: number, start: number): Click[] {
  const random = randomNumbers(seed);
  const all: (Click & { readonly arrives: number })[] = [];
  for (let v = 1; v <= VISITORS; v++) {
    let at = start + Math.floor(random() * 6 * SHORTEST_BREAK);
    while (at < start + 24 * 60 * 60_000) {
      for (let left = 1 + Math.floor(random() * 8); left > 0; left--) {
        const page = PAGES[Math.floor(random() * PAGES.length)]!;
        all.push({ visitor: `visitor-${v}`, page, at, arrives: at + Math.floor(random() * 60_000) });
        at += 1000 + Math.floor(random() * LONGEST_LOOK);
      }
      at += SHORTEST_BREAK + Math.floor(random() * 4 * SHORTEST_BREAK);
    }
  }
  return all.sort((a, b) => a.arrives - b.arrives).map(({ visitor, page, at }) => ({ visitor, page, at }));
}

/** A linear congruential generator (Numerical Recipes): enough for a simulation. */
function randomNumbers(seed: number): () => number {
  let state = (seed * 2_654_435_769) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
