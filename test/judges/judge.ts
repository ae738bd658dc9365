/**
 * What the judges in TypeScript share: checks by name, one line of output for each, names of their own, bounded waits.
 * A judge is a program: `HOST:PORT` comes in, lines `ok NAME`, `not ok NAME: WHY` and `skip NAME: REASON` come out.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

export const bootstrap: string = process.argv[2] ?? '';

/** Milliseconds for which a condition is waited for, and for which one check may run. */
export const patience = 30_000;
const longest = 2 * patience;
const pollEvery = 20;

const run = randomBytes(4).toString('hex');

/** A name that no other run uses. */
export function own(what: string): string {
  return `judge-${run}-${what}`;
}

/** Runs one check, `area/what`; goes on after a failure. */
export async function check(name: string, body: () => Promise<void>): Promise<void> {
  console.log(`# ${name}`);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`it did not end within ${longest} ms`)), longest);
  try {
    await Promise.race([body(), late.promise]);
    console.log(`ok ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok ${name}: ${String(error).replace(/\s+/g, ' ').slice(0, 1000)}`);
    console.error(error);
  } finally {
    clearTimeout(timer);
  }
}

export function skip(name: string, reason: string): void {
  console.log(`skip ${name}: ${reason}`);
}

export async function until(condition: () => unknown, what: () => string): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${patience} ms: ${what()}`);
    await pause(pollEvery);
  }
}

/**
 * Waits until `ask`, which asks each partition of a new topic, is answered. Apache Kafka opens partitions one by one after
 * it has said that they are made; a client that finds one closed may send the whole request again, so that the open
 * ones have its records twice.
 */
export async function answered(topic: string, ask: () => Promise<unknown>): Promise<void> {
  let why: unknown;
  const asked = () =>
    ask().then(
      () => true,
      (error) => {
        why = error;
        return false;
      },
    );
  await until(asked, () => `an answer of each partition of ${topic}: ${why}`);
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  assert.deepEqual(actual, expected, `${what} is ${shown(actual)}, not ${shown(expected)}`);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length < 400 ? text : `${text.slice(0, 400)}…`;
}

/** Ends the program, whatever a client has left open. */
export function judged(): never {
  process.exit();
}

export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}
