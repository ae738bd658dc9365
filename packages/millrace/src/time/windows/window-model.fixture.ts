/**
 * What windows are to give, computed the naive way: every value is kept in every window that it is in, sessions are found
 * anew each time, and nothing is shared, merged or scheduled.
 */
import type { FiringRules, Timing } from './operator.ts';

export interface ModelValue {
  readonly id: number;
  readonly time: number;
  /** Of a session. */
  readonly gap: number;
}

/** What a window showed: ids of values in the order of their times, equal times as they came. */
export interface Shown {
  readonly start: number;
  readonly end: number;
  readonly timing: Timing;
  readonly ids: readonly number[];
}

export type ModelWindows =
  | { readonly kind: 'time'; readonly size: number; readonly slide: number; readonly offset: number }
  | { readonly kind: 'session'; readonly gap?: number };

interface Window {
  start: number;
  end: number;
  values: ModelValue[];
  fresh: ModelValue[];
  over: boolean;
}

/** The windows of one key. */
export class WindowModel {
  readonly shown: Shown[] = [];
  readonly late: number[] = [];
  readonly #kind: ModelWindows;
  readonly #rules: FiringRules;
  #windows: Window[] = [];

  constructor(kind: ModelWindows, rules: FiringRules) {
    this.#kind = kind;
    this.#rules = rules;
  }

  get isEmpty(): boolean {
    return this.#windows.length === 0;
  }

  add(value: ModelValue, watermark: number): void {
    const windows =
      this.#kind.kind === 'session' ? this.#session(value, this.#kind.gap) : this.#grid(value.time, this.#kind);
    const open = windows.filter(({ end }) => !this.#isExpired(end, watermark));
    if (open.length === 0) this.late.push(value.id);
    for (const window of open) {
      window.values.push(value);
      window.fresh.push(value);
      if (this.#kind.kind === 'session') this.#windows = this.#windows.filter((other) => !overlap(window, other));
      if (!this.#windows.includes(window)) this.#windows.push(window);
      window.over = this.#moment(window.end) <= watermark;
      if (window.over) this.#show(window, 'late');
    }
  }

  /** Event time, or the clock, has come to `time`. */
  advance(time: number): void {
    for (const window of this.#byEnd()) {
      if (window.over || this.#moment(window.end) > time) continue;
      window.over = true;
      this.#show(window, 'on time');
    }
    this.#windows = this.#windows.filter(({ end }) => !this.#isExpired(end, time));
  }

  early(): void {
    for (const window of this.#byEnd()) {
      if (!window.over && window.fresh.length > 0) this.#show(window, 'early');
    }
  }

  #byEnd(): Window[] {
    return [...this.#windows].sort((a, b) => a.end - b.end);
  }
  #moment(end: number): number {
    return this.#rules.byClock ? end : end - 1;
  }
  #isExpired(end: number, time: number): boolean {
    return this.#moment(end) + this.#rules.lateness <= time;
  }

  #grid(time: number, { size, slide, offset }: { size: number; slide: number; offset: number }): Window[] {
    const windows: Window[] = [];
    for (let start = time - size + 1; start <= time; start++) {
      if ((start - offset) % slide !== 0) continue;
      const there = this.#windows.find((window) => window.start === start);
      windows.push(there ?? { start, end: start + size, values: [], fresh: [], over: false });
    }
    return windows;
  }

  #session({ time, gap: own }: ModelValue, gap = own): Window[] {
    const merged: Window = { start: time, end: time + gap, values: [], fresh: [], over: false };
    for (const window of this.#windows.filter((other) => overlap(merged, other))) {
      merged.start = Math.min(merged.start, window.start);
      merged.end = Math.max(merged.end, window.end);
      merged.values.push(...window.values);
      merged.fresh.push(...window.fresh);
    }
    return [merged];
  }

  #show(window: Window, timing: Timing): void {
    const values = this.#rules.discarding ? window.fresh : window.values;
    window.fresh = [];
    if (values.length === 0) return;
    const sorted = [...values].sort((a, b) => a.time - b.time || a.id - b.id);
    this.shown.push({ start: window.start, end: window.end, timing, ids: sorted.map(({ id }) => id) });
  }
}

function overlap(a: Window, b: Window): boolean {
  return a !== b && a.start < b.end && b.start < a.end;
}
