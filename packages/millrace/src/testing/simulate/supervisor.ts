/**
 * Keeps the topology running on its machine until all that came in has come out: starts it, does to it what the faults say,
 * starts it again, and in the end, when nothing goes wrong any more, waits for it to come to rest and stops it.
 */
import type { Log } from '@millrace/broker';
import { messageOf } from '../../errors.ts';
import type { Fault } from './faults.ts';
import { faultText } from './faults.ts';
import type { Instance } from './instance.ts';
import type { Machine } from './machine.ts';
import type { Process } from './process.ts';

/** Faults that strike a process at one of its steps. */
type Strike = Extract<Fault, { readonly steps: number }>;

export interface SupervisorOptions {
  readonly machine: Machine;
  readonly faults: readonly Fault[];
  /** The log is held by a process of its own. */
  readonly beside: boolean;
  readonly quiet: number;
  readonly limit: number;
  readonly drain: boolean;
  /** The next start of the topology. */
  readonly make: (process: Process, log: Log | undefined) => Instance;
  readonly openLog: (process: Process) => Promise<Log>;
  /** A log can be reached, or none. */
  readonly onLog: (log: Log, host: Process) => void;
  readonly onNoLog: () => void;
  /** All that is to come in is in. */
  readonly isFed: () => boolean;
  /** All that has come in is read, apart from topics. */
  readonly isRead: (instance: Instance) => boolean;
  /** A component is to throw so often. */
  readonly onThrows: (component: number, times: number) => void;
  /** It has come to rest, and is about to be stopped. */
  readonly onRest: (instance: Instance) => void;
}

/** How often (ms), at most, it is looked whether it has come to rest. */
const POLL = 50;
/** How long (ms) a fault waits for its steps; then it strikes at the next one. */
const PATIENCE = 1000;
/** How long a topology that could not be started, or has failed, is left alone (ms). */
const BACKOFF = 500;
/** Failures in a row, when nothing goes wrong any more, after which it will not come to rest. */
const MOST_FAILURES = 10;
/** A zombie that had nothing to say for so long (ms), and so was not refused, is let go. */
const ZOMBIE_LIMIT = 3000;

export class Supervisor {
  readonly done: Promise<void>;
  restarts = 0;
  readonly #options: SupervisorOptions;
  readonly #machine: Machine;
  #settle!: { resolve: () => void; reject: (cause: unknown) => void };
  #over = false;
  #starts = 0;
  #instance: Instance | undefined;
  #broker: { readonly process: Process; readonly log: Log } | undefined;
  readonly #zombies = new Map<Instance, number>();
  #armed: { readonly fault: Strike; left: number }[] = [];
  #coming = 0;
  #restSince: number | undefined;
  #stopping = false;
  #lastFailure: unknown;
  #failures = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#machine.onStep = (process) => this.#stepped(process);
    for (const fault of options.faults) this.#schedule(fault);
  }

  start(): void {
    this.#start();
    this.#poll();
  }

  /** Ends the simulation badly: something was done that must never be done. */
  violated(what: string): void {
    this.#end(() => this.#settle.reject(new Error(what)));
  }

  #end(how: () => void): void {
    if (this.#over) return;
    this.#over = true;
    how();
  }

  // Faults.

  #schedule(fault: Fault): void {
    this.#coming++;
    this.#machine.time.timers.after(fault.at, () => {
      this.#coming--;
      if (this.#over || this.#stopping) return;
      if ('steps' in fault) this.#arm(fault);
      else this.#befall(fault);
    });
  }

  #arm(fault: Strike): void {
    const armed = { fault, left: fault.steps };
    this.#armed.push(armed);
    // Who takes no steps is struck all the same.
    this.#machine.time.timers.after(PATIENCE, () => {
      armed.left = 0;
      this.#instance?.process.enter(() => {});
    });
  }

  #stepped(process: Process): void {
    if (this.#armed.length === 0 || process !== this.#instance?.process) return;
    for (const one of this.#armed) one.left--;
    const due = this.#armed.find(({ left }) => left < 0);
    if (due === undefined) return;
    this.#armed = this.#armed.filter((one) => one !== due);
    this.#strike(due.fault, process);
  }

  #strike(fault: Strike, process: Process): void {
    const { time } = this.#machine;
    this.#machine.say(`-- ${faultText(fault)}`);
    switch (fault.kind) {
      case 'crash':
        process.kill();
        return this.#restartIn(fault.down);
      case 'powerCut':
        return this.#cutPower(fault.down);
      case 'stall':
        process.pause();
        return void time.timers.after(fault.lasts, () => process.resume());
      case 'zombie':
        return this.#makeZombie(this.#instance!, fault);
      case 'restart':
      case 'drain':
      case 'deactivate':
      case 'checkpoint': {
        // From outside of what it is doing.
        const instance = this.#instance!;
        return time.timers.soon(() => this.#tell(instance, fault));
      }
    }
  }

  #befall(fault: Exclude<Fault, Strike>): void {
    const machine = this.#machine;
    machine.say(`-- ${faultText(fault)}`);
    const lasting = (what: Machine['slowDisk'], lasts: number, by = 0, sink = 0) => {
      what.until = Math.max(what.until, machine.now + lasts);
      what.by = by;
      what.sink = sink;
    };
    switch (fault.kind) {
      case 'slowDisk':
        return lasting(machine.slowDisk, fault.lasts, fault.by);
      case 'fullDisk':
        return lasting(machine.fullDisk, fault.lasts);
      case 'failedSync':
        machine.failsSync = true;
        return;
      case 'clock':
        return machine.jump(fault.by);
      case 'lostAck':
        return lasting(machine.lostAcks, fault.lasts, 0, fault.sink);
      case 'lateAck':
        return lasting(machine.lateAcks, fault.lasts, fault.by, fault.sink);
      case 'refusal':
        return lasting(machine.refusals, fault.lasts, 0, fault.sink);
      case 'throws':
        return this.#options.onThrows(fault.component, fault.times);
    }
  }

  #cutPower(down: number): void {
    this.#instance?.process.kill();
    this.#endLog();
    // What processes had asked of the disk is settled one way or the other.
    this.#machine.cutPower();
    this.#restartIn(down);
  }

  /** Whoever holds the log dies, and so do those who have been taken for dead and talk to it. */
  #endLog(): void {
    for (const zombie of this.#zombies.keys()) zombie.process.kill();
    this.#zombies.clear();
    this.#broker?.process.kill();
    this.#broker = undefined;
    this.#options.onNoLog();
  }

  /** It needs the log of a process beside: one that it held itself would go with it, and nobody else could open it. */
  #makeZombie(instance: Instance, { down, away }: { readonly down: number; readonly away: number }): void {
    const { time } = this.#machine;
    if (!this.#options.beside) {
      instance.process.kill();
      return this.#restartIn(down);
    }
    instance.process.pause();
    this.#restartIn(down);
    this.#zombies.set(instance, Number.POSITIVE_INFINITY);
    time.timers.after(away, () => {
      if (instance.process.state !== 'paused') return;
      this.#machine.say(`${instance.process.name} wakes up`);
      this.#zombies.set(instance, this.#machine.now + ZOMBIE_LIMIT);
      instance.process.resume();
    });
  }

  /** What its owner may ask of a running topology. */
  #tell(
    instance: Instance,
    fault: Extract<Strike, { readonly kind: 'restart' | 'drain' | 'deactivate' | 'checkpoint' }>,
  ): void {
    const { running, process } = instance;
    if (instance !== this.#instance || process.state !== 'alive') return;
    if (fault.kind === 'restart' || fault.kind === 'drain')
      return this.#restart(instance, fault.down, fault.kind === 'drain');
    if (running === undefined) return;
    if (fault.kind === 'checkpoint')
      return process.enter(() => {
        // It may fail, or there may be none.
        if (running.checkpoints() !== undefined) running.checkpoint().catch(() => {});
      });
    process.enter(() => running.deactivate());
    process.timers.after(fault.lasts, () => running.activate());
  }

  #restart(instance: Instance, down: number, drain: boolean): void {
    const { running, process } = instance;
    if (running === undefined) {
      process.kill();
      return this.#restartIn(down);
    }
    process.enter(() => {
      running.stop({ drain }).then(
        () => this.#gone(instance, down),
        () => {}, // `done` tells
      );
    });
  }

  // Starts and ends.

  #restartIn(ms: number): void {
    this.#instance = undefined;
    if (!this.#options.beside) this.#options.onNoLog();
    this.#machine.time.timers.after(ms, () => {
      this.restarts++;
      this.#start();
    });
  }

  #start(): void {
    if (this.#over || this.#instance !== undefined) return;
    if (this.#options.beside && this.#broker === undefined) return this.#startBroker();
    const process = this.#machine.spawn(`start ${++this.#starts}`);
    const instance = this.#options.make(process, this.#broker?.log);
    this.#instance = instance;
    this.#machine.say(`${process.name} begins`);
    process.enter(() => {
      instance.start().then(
        (running) => {
          if (process.state === 'dead') return;
          this.#machine.say(`${process.name} runs`);
          running.done.then(
            () => this.#ended(instance),
            (thrown: unknown) => this.#failed(instance, thrown),
          );
        },
        (thrown: unknown) => this.#failed(instance, thrown),
      );
    });
  }

  #startBroker(): void {
    const { openLog, onLog } = this.#options;
    const process = this.#machine.spawn(`log ${this.#starts}`);
    process.enter(() => {
      openLog(process).then(
        (log) => {
          if (process.state === 'dead') return;
          this.#broker = { process, log };
          onLog(log, process);
          this.#start();
        },
        (thrown: unknown) => {
          if (process.state === 'dead') return;
          this.#machine.say(`the log cannot be opened: ${messageOf(thrown)}`);
          process.kill();
          this.#lastFailure = thrown;
          this.#machine.time.timers.after(BACKOFF, () => this.#start());
        },
      );
    });
  }

  #failed(instance: Instance, thrown: unknown): void {
    const { process } = instance;
    if (process.state === 'dead') return;
    this.#machine.say(`${process.name} failed: ${messageOf(thrown)}`);
    this.#lastFailure = thrown;
    if (instance === this.#instance && this.#isCalm && ++this.#failures > MOST_FAILURES)
      this.violated(`it does not come to rest: ${this.describe()}`);
    // A disk that refused may have stopped the log for good.
    if (instance === this.#instance && !isRefusal(thrown)) this.#endLog();
    this.#gone(instance, BACKOFF);
  }

  /** A log that cannot take anything any more is opened anew, and who stood on it starts again. */
  logStopped(): void {
    if (this.#over || this.#stopping) return;
    this.#machine.say('the log has stopped');
    const instance = this.#instance;
    instance?.process.kill();
    this.#endLog();
    if (instance !== undefined) this.#restartIn(BACKOFF);
  }

  /** It completed by itself: its spouts have ended. */
  #ended(instance: Instance): void {
    if (instance.process.state === 'dead' || instance.running?.state !== 'completed') return;
    this.#machine.say(`${instance.process.name} is completed`);
    this.#finish(instance);
  }

  #gone(instance: Instance, down: number): void {
    if (instance.process.state === 'dead') return;
    instance.process.kill();
    if (this.#zombies.delete(instance) || instance !== this.#instance || this.#over) return;
    this.#restSince = undefined;
    this.#stopping = false;
    this.#restartIn(down);
  }

  // Rest.

  #poll(): void {
    if (this.#over) return;
    const wait = this.#zombies.size === 0 ? Math.max(POLL, this.#options.quiet / 40) : POLL;
    this.#machine.time.timers.after(wait, () => this.#poll());
    const now = this.#machine.now;
    for (const [zombie, until] of this.#zombies) {
      if (now < until) continue;
      this.#machine.say(`${zombie.process.name} was not refused`);
      this.#zombies.delete(zombie);
      zombie.process.kill();
    }
    if (this.#stopping) return;
    this.#restSince = this.#isAtRest() ? (this.#restSince ?? now) : undefined;
    if (this.#restSince !== undefined && now - this.#restSince >= this.#options.quiet) this.#stop(this.#instance!);
  }

  /** Nothing goes wrong any more. */
  get #isCalm(): boolean {
    const { now, slowDisk, fullDisk, lostAcks, lateAcks, refusals } = this.#machine;
    const lasting = [slowDisk, fullDisk, lostAcks, lateAcks, refusals].some(({ until }) => until > now);
    return this.#coming + this.#armed.length + this.#zombies.size === 0 && !lasting;
  }

  #isAtRest(): boolean {
    const { isFed, isRead } = this.#options;
    const instance = this.#instance;
    if (!this.#isCalm || !isFed() || instance === undefined || !isRead(instance)) return false;
    if (instance.running?.state !== 'active' || instance.process.state !== 'alive') return false;
    return instance.hasReadAll;
  }

  #stop(instance: Instance): void {
    this.#stopping = true;
    this.#machine.say('all is read: the topology is stopped');
    this.#options.onRest(instance);
    instance.process.enter(() => {
      instance.running!.stop({ drain: this.#options.drain }).then(
        () => {
          if (instance.process.state === 'dead') return;
          this.#machine.say(`${instance.process.name} is stopped`);
          this.#finish(instance);
        },
        () => {}, // `done` tells
      );
    });
  }

  #finish(instance: Instance): void {
    instance.process.kill();
    this.#broker?.process.kill();
    for (const zombie of this.#zombies.keys()) zombie.process.kill();
    this.#end(() => this.#settle.resolve());
  }

  /** What it waits for, for whoever is told that it does not come to rest. */
  describe(): string {
    const lines = [`${this.restarts} restarts`];
    if (!this.#options.isFed()) lines.push('not all inputs have come in');
    const { process, running } = this.#instance ?? {};
    if (process === undefined) lines.push('nothing runs');
    else lines.push(`${process.name} is ${process.state}, its topology ${running?.state ?? 'is being started'}`);
    if (process?.state === 'alive' && running !== undefined) {
      for (const { component, queued, pending } of running.metrics().components)
        if (queued + pending > 0) lines.push(`'${component}': ${queued} queued, ${pending} pending`);
      const { current, last, unpublished } = running.checkpoints() ?? {};
      if (current !== undefined)
        lines.push(`checkpoint ${current.number} waits for ${current.waitsFor.join(', ') || 'the disk'}`);
      if (last !== undefined) lines.push(`the last checkpoint took ${last.took} ms`);
      if (unpublished !== undefined && unpublished.epochs > 0)
        lines.push(`${unpublished.epochs} epochs are not published`);
      lines.push(...(this.#instance?.unread ?? []));
    }
    if (this.#zombies.size > 0) lines.push(`${this.#zombies.size} zombies are about`);
    if (this.#lastFailure !== undefined) lines.push(`the last failure was: ${messageOf(this.#lastFailure)}`);
    return lines.join('; ');
  }
}

/** Another instance has taken over. */
function isRefusal(thrown: unknown): boolean {
  const { code } = thrown as { readonly code?: unknown };
  return code === 'MR_SUPERSEDED' || code === 'MR_SINK_CLAIMED';
}
