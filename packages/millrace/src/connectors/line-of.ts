/** How sinks of text write a value when nobody says otherwise. */

/** Text as it is, everything else as JSON. */
export function lineOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
