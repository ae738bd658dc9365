/**
 * Where windows of one size and one slide lie, and the panes that they share. Windows start at `offset` plus multiples of
 * `slide`. Panes are cut at every start and every end of a window, so a window is a run of whole panes, and a slide has
 * two panes at most, whatever the size is (paired windows: Krishnamurthy, Wu and Franklin, SIGMOD 2006). Works for time
 * and for positions in a sequence; all of it floors, for negative numbers, too.
 */
export class Grid {
  readonly size: number;
  readonly slide: number;
  readonly #offset: number;
  /** How far behind the last start of a window the next end is; 0 if ends are starts. */
  readonly #cut: number;

  constructor(size: number, slide: number, offset: number) {
    this.size = size;
    this.slide = slide;
    this.#offset = offset;
    this.#cut = size % slide;
  }

  /** The start of the last window that starts at `at` or before. */
  lastStart(at: number): number {
    return Math.floor((at - this.#offset) / this.slide) * this.slide + this.#offset;
  }
  /** The start of the pane that `at` is in. */
  pane(at: number): number {
    const start = this.lastStart(at);
    return at - start >= this.#cut ? start + this.#cut : start;
  }
  /** The end of the first window that `at` is in. */
  firstEnd(at: number): number {
    return this.lastEndUpTo(at) + this.slide;
  }
  /** The end of the last window that `at` is in. */
  lastEnd(at: number): number {
    return this.lastStart(at) + this.size;
  }
  /** The last end of a window that is not after `at`. */
  lastEndUpTo(at: number): number {
    return this.lastStart(at - this.size) + this.size;
  }
}
