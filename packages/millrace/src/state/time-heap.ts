/** A binary heap of times: the least first. */
export class TimeHeap {
  #times: number[] = [];

  get size(): number {
    return this.#times.length;
  }

  /** Infinity if there is none. */
  get first(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!;
  }

  push(time: number): void {
    const times = this.#times;
    let at = times.length;
    times.push(time);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent]! <= time) break;
      times[at] = times[parent]!;
      at = parent;
    }
    times[at] = time;
  }

  pop(): void {
    const last = this.#times.pop();
    if (last !== undefined && this.#times.length > 0) this.#sink(0, last);
  }

  replace(times: Iterable<number>): void {
    this.#times = [...times];
    for (let at = (this.#times.length >> 1) - 1; at >= 0; at--) this.#sink(at, this.#times[at]!);
  }

  #sink(from: number, time: number): void {
    const times = this.#times;
    const half = times.length >> 1;
    let at = from;
    while (at < half) {
      let child = 2 * at + 1;
      if (child + 1 < times.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= time) break;
      times[at] = times[child]!;
      at = child;
    }
    times[at] = time;
  }
}
