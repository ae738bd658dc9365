/** What a rule found. A problem that does not say what to write instead, and why, is not worth a failed build. */
export interface Problem {
  /** `path:line`, or `path` when the whole file is meant. */
  readonly place: string;
  readonly found: string;
  readonly instead: string;
  readonly because: string;
}

export function describe(problem: Problem): string {
  return `${problem.place}: ${problem.found}\n    instead: ${problem.instead}\n    because: ${problem.because}`;
}
