import { LogError } from '../errors.ts';
import { Produce } from '../protocol/messages/records.ts';
import { Reader } from '../protocol/reader.ts';
import type { Budget } from './budget.ts';
import { Frames } from './frames.ts';
import type { Answer, Client, Handler, Parts } from './handler.ts';
import { type RequestHeader, readHeader, responseTo, unsupportedVersions } from './request.ts';

/**
 * One client's connection, whatever carries it. Requests are begun in the order in which they came and answered in that
 * order, one at a time as in Kafka; only Produce requests that follow one another are begun together, so that their
 * batches share a sync. While the client does not read what it was answered, nothing more is begun; while there is too
 * much that is not answered, nothing more is read. A request that cannot be understood closes this connection and
 * touches no other.
 */
export interface Wire {
  /**
   * False when the peer is slower than we: `Connection.drained` tells when it has caught up. Calls `left` when the bytes
   * have left, or never will.
   */
  write(chunks: readonly Uint8Array[], left: () => void): boolean;
  pause(): void;
  resume(): void;
  /** Sends what was written, then ends. */
  end(): void;
  /** At once. */
  destroy(): void;
}

export interface Serving {
  readonly parts: Parts;
  readonly handlers: ReadonlyMap<number, Handler>;
  /** Requests read and not yet answered, of all connections. */
  readonly budget: Budget;
}

/** Produce requests of one connection that are under way together. */
const PIPELINE = 16;
/** Requests of one connection that wait for their turn; beyond, nothing more is read. */
const BACKLOG = 16;
/** What a connection may hold of a request that is arriving although the budget is spent: what a socket gives at once. */
const FREE = 64 * 1024;
/** A request that has begun to arrive must be whole within this, in ms. */
const SLOWEST_REQUEST = 30_000;

interface Turn {
  readonly header: RequestHeader;
  readonly bytes: number;
  answer: Answer;
  done: boolean;
  afterWrite: (() => void) | undefined;
}

export class Connection {
  private readonly serving: Serving;
  private readonly wire: Wire;
  private readonly who: Pick<Client, 'host' | 'endpoint'>;
  private readonly gone = new AbortController();
  private readonly frames: Frames;
  private readonly backlog: Buffer[] = [];
  private readonly turns: Turn[] = [];
  private readonly roomAgain = () => this.pump();
  private cancelWatch: () => void = () => {};
  private readonly onDown: () => void;
  private client: Client | undefined;
  private pumping = false;
  private blocked = false;
  private paused = false;
  private stopping = false;
  private closed = false;
  /** Bytes of the request that is arriving, as far as the budget knows. */
  private arriving = 0;
  /** When the last bytes came. */
  private heard: number;
  /** When the first bytes of the request that is arriving came. */
  private begun = 0;

  /** `onDown` is called once, when the connection is over. */
  constructor(serving: Serving, wire: Wire, who: Pick<Client, 'host' | 'endpoint'>, onDown: () => void) {
    this.serving = serving;
    this.onDown = onDown;
    this.wire = wire;
    this.who = who;
    this.frames = new Frames(serving.parts.settings['socket.request.max.bytes']);
    this.heard = serving.parts.clock.now();
    this.watch();
  }

  receive(chunk: Buffer): void {
    if (this.closed || this.stopping) return;
    this.heard = this.serving.parts.clock.now();
    let isNew = this.frames.held === 0;
    try {
      this.frames.push(chunk, (frame) => {
        isNew = true;
        this.serving.budget.take(frame.length);
        this.backlog.push(frame);
      });
    } catch (error) {
      return this.fail(error);
    }
    if (isNew) this.begun = this.heard;
    this.countArriving(this.frames.held);
    this.pump();
  }

  /** The peer has read what was written. */
  drained(): void {
    this.blocked = false;
    this.pump();
  }

  /** The wire is down, whoever ended it. */
  down(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelWatch();
    this.gone.abort();
    const { budget } = this.serving;
    budget.forget(this.roomAgain);
    this.countArriving(0);
    for (const frame of this.backlog.splice(0)) budget.give(frame.length);
    for (const { bytes, done, afterWrite } of this.turns.splice(0)) {
      budget.give(bytes);
      if (done) afterWrite?.();
    }
    budget.letOthers(this);
    this.onDown();
  }

  /** Begins nothing more, answers what was begun, and ends. */
  stop(): void {
    this.stopping = true;
    for (const frame of this.backlog.splice(0)) this.serving.budget.give(frame.length);
    // Else nobody would hear that the client has ended, too.
    this.wire.resume();
    this.endIfDone();
  }

  destroy(): void {
    this.wire.destroy();
    this.down();
  }

  private pump(): void {
    // An answer that is there at once comes back here.
    if (this.pumping) return;
    this.pumping = true;
    while (!this.closed && this.backlog.length > 0 && this.mayBegin(this.backlog[0]!))
      this.begin(this.backlog.shift()!);
    this.pumping = false;
    if (!this.closed) this.readOrPause();
  }

  private readOrPause(): void {
    if (this.stopping) return;
    const { budget, parts } = this.serving;
    const spent = !this.fitsIn(budget);
    if (spent) budget.wait(this.roomAgain);
    const full = spent || this.backlog.length >= BACKLOG;
    if (full === this.paused) return;
    this.paused = full;
    if (full) return this.wire.pause();
    // While we did not read, the request could not arrive.
    this.begun = parts.clock.now();
    this.wire.resume();
  }

  private fitsIn(budget: Budget): boolean {
    const isWaiting = this.turns.length + this.backlog.length > 0;
    if (budget.spent && !isWaiting && this.frames.held > FREE) return budget.favours(this);
    budget.letOthers(this);
    return !(budget.spent && isWaiting);
  }

  private countArriving(bytes: number): void {
    const { budget } = this.serving;
    const more = bytes - this.arriving;
    this.arriving = bytes;
    if (more > 0) budget.take(more);
    else if (more < 0) budget.give(-more);
  }

  private mayBegin(next: Buffer): boolean {
    if (this.blocked) return false;
    const { turns } = this;
    if (turns.length === 0) return true;
    return turns.length < PIPELINE && isProduce(next) && turns[turns.length - 1]!.header.api === Produce.key;
  }

  private begin(frame: Buffer): void {
    const { parts, handlers, budget } = this.serving;
    let turn: Turn | undefined;
    try {
      const reader = new Reader(frame);
      const header = readHeader(reader, handlers);
      const begun: Turn = { header, bytes: frame.length, answer: undefined, done: false, afterWrite: undefined };
      turn = begun;
      this.turns.push(begun);
      const afterWrite = (run: () => void) => {
        begun.afterWrite = run;
      };
      const call = { version: header.version, afterWrite, client: this.clientOf(header), broker: parts };
      const answer =
        header.handler === undefined ? unsupportedVersions(parts.apis) : header.handler.serve(reader, call);
      if (!(answer instanceof Promise)) return this.answered(begun, answer);
      answer.then(
        (chunks) => this.answered(begun, chunks),
        (error) => this.fail(error),
      );
    } catch (error) {
      if (turn === undefined) budget.give(frame.length);
      this.fail(error);
    }
  }

  private answered(turn: Turn, answer: Answer): void {
    turn.answer = answer;
    turn.done = true;
    if (this.closed) turn.afterWrite?.();
    if (this.closed || this.turns[0] !== turn) return;
    const chunks: Uint8Array[] = [];
    const written: (() => void)[] = [];
    while (this.turns[0]?.done === true) {
      const { header, bytes, answer: body, afterWrite } = this.turns.shift()!;
      if (afterWrite !== undefined) written.push(afterWrite);
      this.serving.budget.give(bytes);
      if (body !== undefined) responseTo(header, body, chunks);
    }
    const left = () => {
      for (const run of written) run();
    };
    if (chunks.length > 0 && !this.wire.write(chunks, left)) this.blocked = true;
    if (this.stopping) this.endIfDone();
    else this.pump();
  }

  private endIfDone(): void {
    if (!this.closed && this.turns.length === 0) this.wire.end();
  }

  private fail(error: unknown): void {
    if (this.closed) return;
    const { say } = this.serving.parts;
    const what = error instanceof LogError ? error.message : String(error instanceof Error ? error.stack : error);
    say(`closed the connection of ${this.who.host}: ${what}`);
    this.destroy();
  }

  private clientOf({ clientId }: RequestHeader): Client {
    if (this.client?.id === clientId) return this.client;
    const drop = (reason: string) => this.fail(new LogError('INVALID_REQUEST', reason));
    this.client = { ...this.who, id: clientId, gone: this.gone.signal, connection: this, drop };
    return this.client;
  }

  /** Looks now and then whether the peer still says something, and whether a request takes too long to arrive. */
  private watch(): void {
    const { clock, settings } = this.serving.parts;
    const idle = settings['connections.max.idle.ms'];
    this.cancelWatch = clock.setTimer(
      Math.min(idle, SLOWEST_REQUEST),
      () => {
        const now = clock.now();
        if (this.frames.held > 0 && !this.paused && now - this.begun >= SLOWEST_REQUEST) {
          this.fail(new LogError('REQUEST_TIMED_OUT', `a request was not whole after ${SLOWEST_REQUEST} ms`));
        } else if (this.turns.length === 0 && now - this.heard >= idle) {
          this.destroy();
        } else {
          this.watch();
        }
      },
      true,
    );
  }
}

function isProduce(frame: Buffer): boolean {
  return frame.length >= 2 && frame.readInt16BE(0) === Produce.key;
}
