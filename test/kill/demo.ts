/**
 * `npm run demo:kill -- [--every 2s] [--kills N] [--rate 500]`: the anomaly detector, killed with `kill -9` again and again
 * before one's eyes, and the tally of what it was sent and what came out of it. Ends at Ctrl-C, or after N kills, once
 * everything has come out: with exit code 1 if anything was lost or doubled.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs, styleText } from 'node:util';
import { measurements } from '../../examples/02-anomaly-detector/sensors.ts';
import { liveScreen } from '../../packages/millrace/src/cli/screen.ts';
import { type Duration, milliseconds } from '../../packages/millrace/src/duration.ts';
import { realRuntime } from '../../packages/millrace/src/runtime/real.ts';
import { kafkaTopicLog } from '../../packages/millrace/src/topic/kafka.ts';
import type { PartitionReader, TopicLog } from '../../packages/millrace/src/topic/topic-log.ts';
import { Child } from './child.ts';
import { embedded, freePort, type Ground } from './ground.ts';
import { type Numbered, type Verdict, verdicts } from './jobs/detector.ts';
import { databaseIn, rowsOf } from './outputs.ts';
import { Tally } from './tally.ts';

const JOB = join(import.meta.dirname, 'jobs', 'detector.ts');
/** Milliseconds from one batch of readings to the next, and from one look at the tally to the next. */
const PACE = 20;
const FRAME = 100;
/** Nothing more has come out for so long: nothing more will. */
const STANDSTILL = 10_000;

/** The sensors: they send each reading once, into a file, and do not care who is alive. */
class Sensors {
  sent = 0;
  readonly #file: string;
  readonly #measured = measurements(1);
  readonly #numbers = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(file: string, rate: number) {
    this.#file = file;
    writeFileSync(file, '');
    const began = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * rate);
      this.#send(due - this.sent);
    }, PACE);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #send(count: number): void {
    const lines = Array.from({ length: count }, () => {
      const { device_id, value } = this.#measured.next().value;
      const n = (this.#numbers.get(device_id) ?? 0) + 1;
      this.#numbers.set(device_id, n);
      return `${JSON.stringify({ device_id, value, timestamp: Date.now(), n } satisfies Numbered)}\n`;
    });
    appendFileSync(this.#file, lines.join(''));
    this.sent += count;
  }
}

/** Reads what comes out, as any consumer with read_committed would, from whichever process is alive. */
class Reader {
  readonly #tally: Tally;
  readonly #arrived: () => void;
  #next = 0;
  #log: TopicLog | undefined;
  #partition: PartitionReader | undefined;

  /** `arrived` is told when something new has come. */
  constructor(tally: Tally, arrived: () => void) {
    this.#tally = tally;
    this.#arrived = arrived;
  }

  async attach(bootstrap: string): Promise<void> {
    await this.detach();
    this.#log = kafkaTopicLog({ brokers: [bootstrap], clientId: 'tally', runtime: realRuntime(), log: () => {} });
    this.#partition = this.#log.read(verdicts.name, 0, this.#next, () => this.#take());
    this.#take();
  }

  /** Waits for everything that can be read now. */
  async rest(): Promise<void> {
    const [end = 0] = await this.#log!.offsets(verdicts.name, 'latest');
    for (this.#take(); this.#next < end; this.#take()) await pause(5);
  }

  async detach(): Promise<void> {
    const log = this.#log;
    this.#partition?.close();
    this.#partition = undefined;
    this.#log = undefined;
    await log?.close();
  }

  #take(): void {
    for (let next: number | undefined; next !== this.#next && this.#partition !== undefined; ) {
      next = this.#next;
      const taken = this.#partition.take();
      if (taken.outOfRange) throw new Error(`the topic has ended before ${next}: records are lost`);
      for (const { value } of taken.records) this.#tally.take(JSON.parse(Buffer.from(value!).toString()) as Verdict);
      this.#next = taken.next;
      if (taken.records.length > 0) this.#arrived();
    }
  }
}

interface DemoOptions {
  /** Milliseconds from the start of a process to its end, at least. */
  readonly every: number;
  readonly kills: number;
  /** Readings per second. */
  readonly rate: number;
  readonly port: number;
}

class Demo {
  readonly #options: DemoOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  readonly #screen = liveScreen(process.stdout, realRuntime().timers);
  readonly #tally = new Tally();
  readonly #reader = new Reader(this.#tally, () => this.#came());
  readonly #ground: Ground;
  readonly #sensors: Sensors;
  readonly #stop = new AbortController();
  #job: Child | undefined;
  #kills = 0;
  /** When the last process was killed, until something new has come out of the next one. */
  #killedAt: number | undefined;
  /** Milliseconds from `kill -9` to the next thing that came out. */
  readonly #recoveries: number[] = [];

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#ground = embedded(this.#folder, options.port);
    this.#sensors = new Sensors(this.#ground.config.file!, options.rate);
  }

  /** The exit code. */
  async run(): Promise<number> {
    process.on('SIGINT', () => this.#interrupted());
    const frames = setInterval(() => this.#paint(), FRAME);
    try {
      while (this.#kills < this.#options.kills && !this.#stop.signal.aborted) await this.#live();
      this.#sensors.stop();
      await this.#finish();
      this.#paint();
      return this.#summary();
    } finally {
      clearInterval(frames);
      this.#sensors.stop();
      await this.#job?.kill();
      await this.#reader.detach();
      await this.#ground.close();
      this.#screen.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** One life of the job. */
  async #live(): Promise<void> {
    const { every, kills } = this.#options;
    const job = this.#start();
    await pause(every, undefined, { signal: this.#stop.signal }).catch(() => {});
    // A machine so busy that nothing has come out yet would show nothing.
    while (!this.#isBack && job.end === undefined && !this.#stop.signal.aborted) await pause(FRAME);
    if (this.#stop.signal.aborted) return void (await job.kill('SIGTERM'));
    if (job.end !== undefined) throw new Error(job.failure);
    this.#killedAt = performance.now();
    await job.kill();
    this.#kills++;
    const of = Number.isFinite(kills) ? ` of ${kills}` : '';
    const { seen } = this.#tally;
    this.#screen.log(`${styleText('red', 'kill -9')} ${job.pid}   ${this.#kills}${of}, after ${seen} readings`);
  }

  #start(): Child {
    const config = { ...this.#ground.config, database: databaseIn(this.#folder) };
    const sets = Object.entries(config).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]);
    const job = Child.millrace('the job', ['run', JOB, ...this.#ground.args, ...sets]);
    this.#job = job;
    void this.#ground.bootstrapOf(job).then(
      (bootstrap) => (this.#job === job && job.end === undefined ? this.#reader.attach(bootstrap) : undefined),
      () => {}, // it ended before it said so: whoever looks at its end is told
    );
    return job;
  }

  /** A life that nobody ends before everything has come out. */
  async #finish(): Promise<void> {
    const job = this.#start();
    let [seen, since] = [-1, performance.now()];
    while (this.#tally.seen < this.#sensors.sent && performance.now() - since < STANDSTILL) {
      if (job.end !== undefined) throw new Error(job.failure);
      if (this.#tally.seen > seen) [seen, since] = [this.#tally.seen, performance.now()];
      await pause(FRAME);
    }
    const { code } = await job.kill('SIGTERM');
    if (code !== 0) throw new Error(job.failure);
    // What its last checkpoint has published may be a reading too many.
    await this.#reader.attach(await this.#ground.readable());
    await this.#reader.rest();
  }

  /** Something has come out of the process that is alive. */
  get #isBack(): boolean {
    return this.#killedAt === undefined && this.#tally.seen > 0;
  }

  #came(): void {
    if (this.#killedAt === undefined) return;
    this.#recoveries.push(performance.now() - this.#killedAt);
    this.#killedAt = undefined;
  }

  #interrupted(): void {
    if (!this.#stop.signal.aborted) return this.#stop.abort();
    void this.#job?.kill();
    this.#screen.close();
    process.exit(130);
  }

  #paint(): void {
    if (!this.#screen.live) return;
    const { seen, overtaken, doubled, alerts } = this.#tally;
    const row = (name: string, text: string) => `  ${name.padEnd(9)} ${text}`;
    this.#screen.set('tally', [
      '',
      row('kills', String(this.#kills)),
      row('sent', String(this.#sensors.sent)),
      row('seen', `${seen}, ${alerts.size} of them alerts`),
      row('lost', count(overtaken)),
      row('doubled', count(doubled)),
      row('recovery', this.#recovery),
      '',
    ]);
  }

  get #recovery(): string {
    const last = this.#recoveries.at(-1);
    if (last === undefined) return '-';
    return `${seconds(last)} from kill -9 to the next reading out, ${seconds(Math.max(...this.#recoveries))} at most`;
  }

  /** Says what has come of it, and gives the exit code. */
  #summary(): number {
    const { seen, doubled, alerts } = this.#tally;
    const rows = rowsOf(this.#folder, 'alerts').map((row) => `${row.device_id} ${row.n}`);
    const lost = this.#sensors.sent - seen;
    const right = new Set(rows.filter((row) => alerts.has(row))).size;
    const [rowsLost, rowsDoubled] = [alerts.size - right, rows.length - right];
    const failed = lost + doubled + rowsLost + rowsDoubled > 0;
    this.#screen.set('tally', []);
    for (const line of [
      `${this.#kills} kills, ${this.#sensors.sent} readings sent, ${seen} seen: ${lost} lost, ${doubled} doubled`,
      `${alerts.size} alerts, ${rows.length} rows in SQLite: ${rowsLost} lost, ${rowsDoubled} doubled`,
      `recovery: ${this.#recovery}`,
    ])
      this.#screen.log(line);
    return failed ? 1 : 0;
  }
}

const count = (wrong: number) => styleText(wrong === 0 ? 'green' : 'red', String(wrong));
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '2s' },
    kills: { type: 'string', default: 'Infinity' },
    rate: { type: 'string', default: '500' },
  },
});
const demo = new Demo({
  every: milliseconds(values.every as Duration),
  kills: Number(values.kills),
  rate: Number(values.rate),
  port: await freePort(),
});
process.exit(await demo.run());
