/**
 * The machine that a simulation runs on: virtual time, a disk that keeps no more than it promises, a wall clock that may
 * jump, and all chance from one seed. Each purpose has random numbers of its own, so that a fault that is left out changes
 * as little else as possible.
 */
import { FaultyStorage } from '@millrace/broker/testing';
import { MillraceError } from '../../errors.ts';
import type { Clock } from '../../runtime/runtime.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { Process } from './process.ts';
import type { Mood } from './tables.ts';

/** Something lasts until then, in virtual ms. */
interface Lasting {
  until: number;
  by: number;
  /** Of one sink, among all that are modelled. */
  sink: number;
}
const never = (): Lasting => ({ until: 0, by: 0, sink: 0 });

/** How far the wall clock may be off (ms). */
const FURTHEST = 20_000;

export class Machine {
  readonly time: VirtualTime;
  /** The wall clock that processes read. */
  readonly clock: Clock;
  readonly trace: string[] = [];
  steps = 0;
  /** Asked at each step of each process. */
  onStep: (process: Process) => void = () => {};
  readonly slowDisk = never();
  readonly fullDisk = never();
  readonly lostAcks = never();
  readonly lateAcks = never();
  readonly refusals = never();
  /** The next sync fails. */
  failsSync = false;
  readonly #seed: number;
  #disk = new FaultyStorage();
  #jumped = 0;

  constructor(seed: number, start: number) {
    this.#seed = seed;
    this.time = new VirtualTime(start);
    const { clock } = this.time;
    this.clock = { now: () => Math.max(0, clock.now() + this.#jumped), monotonic: () => clock.monotonic() };
  }

  /** Virtual ms since the start. */
  get now(): number {
    return this.time.clock.monotonic();
  }

  /** Random numbers of one purpose. */
  random(purpose: string): () => number {
    let mixed = this.#seed;
    for (const letter of purpose) mixed = (Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193) + this.#seed) >>> 0;
    return seededRandom(mixed);
  }

  say(text: string): void {
    this.trace.push(`${this.now.toFixed(1).padStart(9)}  ${text}`);
  }

  spawn(name: string): Process {
    return new Process({
      name,
      clock: this.clock,
      timers: this.time.timers,
      random: this.random(name),
      onStep: (process) => {
        this.steps++;
        this.onStep(process);
      },
      refuse: (what) => {
        throw new MillraceError('MR_NATIVE_IO', [what]);
      },
    });
  }

  /** The disk for one process: it shares what is on it, and is as slow, full or broken as the machine's is now. */
  disk(process: Process): FaultyStorage {
    const disk = this.#disk.shared();
    const luck = this.random(`disk of ${process.name}`);
    disk.syncTakes = () => {
      const slow = this.slowDisk.until > this.now ? this.slowDisk.by : 0;
      const chance = luck();
      const ms = chance < 0.5 ? slow : slow + chance * chance * 4;
      return ms === 0 ? undefined : new Promise((resolve) => void this.time.timers.after(ms * luck(), resolve));
    };
    disk.failWrite = () => this.fullDisk.until > this.now;
    disk.failSync = () => {
      const fails = this.failsSync && process.state !== 'dead';
      if (fails) this.failsSync = false;
      return fails;
    };
    return disk;
  }

  /** What was not synced may be gone. All processes must be dead. */
  cutPower(): void {
    this.failsSync = false;
    this.#disk = this.#disk.afterPowerCut(this.random(`power cut at ${this.now}`));
  }

  /** Never further from virtual time than so many ms. */
  jump(by: number): void {
    this.#jumped = Math.max(-FURTHEST, Math.min(FURTHEST, this.#jumped + by));
  }

  /** How the table of the sink with this number, of so many, answers now. */
  mood(sink: number, sinks: number): Mood {
    const lasts = (what: Lasting) => what.until > this.now && what.sink % sinks === sink;
    const { lostAcks, lateAcks, refusals } = this;
    return { losesAnswers: lasts(lostAcks), refuses: lasts(refusals), delay: lasts(lateAcks) ? lateAcks.by : 1 };
  }
}
