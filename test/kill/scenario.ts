/** What is put under fire: a topology, its input line by line, and what must have come of it, exactly. */
import type { Outputs } from './outputs.ts';

export interface Scenario {
  readonly name: string;
  /** The file of its topology. */
  readonly module: string;
  /** The topic that its input goes to, and the partitions that the topology declares. */
  readonly input: { readonly topic: string; readonly partitions: number; readonly key: (line: string) => string };
  /** Topics that it writes. */
  readonly topics: readonly string[];
  /** Its settings. `folder`: where its tables and files are to be. */
  config(folder: string): Readonly<Record<string, string>>;
  /** The nth line of input, as JSON. */
  line(n: number): string;
  /** What is sent after `lines` lines, to make event time go on to where everything comes out. */
  closing(lines: number): readonly string[];
  /** The model of so many lines. */
  expect(lines: number): Promise<Expected>;
}

export interface Expected {
  /** How much at least has not come out yet: asked on the way, to know when to stop. */
  missing(outputs: Outputs): number;
  /** Throws an AssertionError that names what is lost, doubled, out of order or wrong. */
  check(outputs: Outputs): void;
  /** How many records, rows and lines it has looked at. */
  readonly size: number;
}

/** The text of a hash of n, the same for all time. */
export function scrambled(n: number): number {
  let bits = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
