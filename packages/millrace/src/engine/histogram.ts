/**
 * A log-linear histogram of durations, exact in count, sum, minimum and maximum; percentiles are right to 1/32 of
 * their value (3 %). Recording costs a few nanoseconds and allocates nothing, so it is always on.
 */
import type { LatencySnapshot } from './running.ts';

/** Each power of two of nanoseconds is cut into this many buckets. */
const SUB_BITS = 5;
const SUB = 1 << SUB_BITS;
/** 2^52 ns are 52 days. */
const BUCKETS = (52 - SUB_BITS + 1) * SUB;

/** Buckets are lower-bound inclusive: bucket b < SUB holds exactly b ns. */
function bucketOf(ns: number): number {
  if (ns < 2 ** 31) {
    const whole = ns | 0;
    if (whole < SUB) return whole;
    const exponent = 31 - Math.clz32(whole);
    return (exponent - SUB_BITS + 1) * SUB + ((whole >>> (exponent - SUB_BITS)) & (SUB - 1));
  }
  // Beyond 31 bits the lowest 20 make no difference to the bucket.
  const high = Math.min(Math.floor(ns / 2 ** 20), 2 ** 32 - 1);
  const exponent = 31 - Math.clz32(high);
  return (exponent + 20 - SUB_BITS + 1) * SUB + ((high >>> (exponent - SUB_BITS)) & (SUB - 1));
}

/** The middle of a bucket, in nanoseconds. */
function middleOf(bucket: number): number {
  if (bucket < SUB) return bucket;
  const exponent = Math.floor(bucket / SUB) + SUB_BITS - 1;
  const width = 2 ** (exponent - SUB_BITS);
  return (SUB + (bucket % SUB)) * width + width / 2;
}

export class Histogram {
  #counts: Float64Array | undefined;
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  /** `ms` milliseconds (clocks that step back count as 0), `times` times. */
  record(ms: number, times = 1): void {
    const value = ms > 0 ? ms : 0;
    this.#counts ??= new Float64Array(BUCKETS);
    const bucket = bucketOf(value * 1e6);
    this.#counts[bucket] = this.#counts[bucket]! + times;
    this.#count += times;
    this.#sum += value * times;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds all that `other` has counted. */
  add(other: Histogram): void {
    const theirs = other.#counts;
    if (theirs === undefined) return;
    this.#counts ??= new Float64Array(BUCKETS);
    const mine = this.#counts;
    for (let b = 0; b < BUCKETS; b++) mine[b] = mine[b]! + theirs[b]!;
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  snapshot(): LatencySnapshot {
    if (this.#count === 0) return { count: 0, sum: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    const [p50, p90, p99, p999] = this.#percentiles([0.5, 0.9, 0.99, 0.999]) as [number, number, number, number];
    return { count: this.#count, sum: this.#sum, min: this.#min, p50, p90, p99, p999, max: this.#max };
  }

  #percentiles(shares: readonly number[]): number[] {
    const found: number[] = [];
    let seen = 0;
    for (let b = 0; b < BUCKETS && found.length < shares.length; b++) {
      seen += this.#counts![b]!;
      while (found.length < shares.length && seen >= Math.ceil(shares[found.length]! * this.#count)) {
        found.push(Math.min(this.#max, Math.max(this.#min, middleOf(b) / 1e6)));
      }
    }
    return found;
  }
}
