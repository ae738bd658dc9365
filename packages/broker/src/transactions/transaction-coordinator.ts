import { LogError, type LogErrorCode } from '../errors.ts';
import type { Clock } from '../log/clock.ts';
import type { KeyedLog } from '../log/keyed-log.ts';
import { Completion } from './completion.ts';
import type { Participants } from './participants.ts';
import type { ProducerIds } from './producer-ids.ts';
import {
  completed,
  concurrent,
  ended,
  expectHolder,
  expectProducer,
  fencedOff,
  initialise,
  isExpired,
  isPreparing,
  needsFreshId,
  type Partitions,
  type ProducerIdAndEpoch,
  refusalOf,
  type Transaction,
  type TransactionState,
  transactionStates,
  withPartitions,
} from './transaction.ts';
import { bytesOf, idOf, keyOf, transactionOf } from './transaction-record.ts';

/**
 * The transaction coordinator: who writes under which transactional id, what the open transactions span, and how each
 * ended. Its promises:
 *
 * 1. A step counts when its record in `__transaction_state` is durable, and one id takes one step at a time; whoever
 *    comes meanwhile is told CONCURRENT_TRANSACTIONS, which is worth retrying.
 * 2. PrepareCommit or PrepareAbort is the decision. It is durable before anything is done about it, and is carried out
 *    in every partition before the Complete state is written; after a crash it is carried out again.
 * 3. A producer whose epoch is over (another was started, or its transaction was overdue) changes nothing any more.
 *
 * EndTxn answers when all of it is done, so that what was committed is there for whoever reads next. If a partition
 * cannot take its marker now, it answers then: the decision stands, and the marker follows.
 *
 * What KIP-890 calls transactions version 2 (an epoch per transaction) is left out: clients use it only where a broker
 * advertises the feature `transaction.version`.
 */
export interface CoordinatorOptions {
  readonly log: KeyedLog;
  readonly producerIds: ProducerIds;
  readonly participants: Participants;
  readonly clock: Clock;
  readonly limits: TransactionLimits;
}

export interface TransactionLimits {
  /** Kafka's transaction.max.timeout.ms. */
  readonly maxTimeoutMs: number;
  /** Kafka's transactional.id.expiration.ms. */
  readonly expirationMs: number;
}

export interface InitProducerIdRequest {
  readonly transactionalId: string | null;
  readonly timeoutMs: number;
  /** What the producer has, when it wants to go on from there (KIP-360). */
  readonly expected: ProducerIdAndEpoch | undefined;
}

export interface TransactionFilter {
  /** All, when empty; so with the ids. */
  readonly states: readonly string[];
  readonly producerIds: readonly number[];
  /** Only what began longer ago than so many ms; all, when negative. */
  readonly durationMs: number;
}

const EXPIRATION_CHECK_INTERVAL = 3_600_000;
/** Milliseconds until what the disk refused, or what met another step, is tried again. */
const RETRY = 1000;

interface Entry {
  readonly transactionalId: string;
  readonly key: Buffer;
  /** What is durable; nothing before the first step is. */
  current: Transaction | undefined;
  /** A step is being written. */
  writing: boolean;
  completion: Completion | undefined;
  /** Of the one timer that an entry has: its transaction's end of time, or the next attempt to carry a decision out. */
  cancelTimer: () => void;
  /** Those who wait until it is in the middle of nothing. */
  waiting: { readonly go: () => void; readonly fail: (error: LogError) => void }[];
}

export class TransactionCoordinator {
  private readonly options: CoordinatorOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly running = new Set<Promise<void>>();
  private cancelExpiry: () => void = () => undefined;
  private closed = false;
  /** Why no step will ever be taken any more. */
  private over: LogError | undefined;
  /** A broker that is started over an open log sets its own. */
  limits: TransactionLimits;

  /** Takes up what the log says: open transactions get the rest of their time, decisions are carried out. */
  constructor(options: CoordinatorOptions) {
    this.options = options;
    this.limits = options.limits;
    options.log.load(({ key, value }) => {
      const id = idOf(key);
      if (value === null) this.entries.delete(id);
      else this.entries.set(id, newEntry(id, transactionOf(id, value)));
    });
    for (const entry of this.entries.values()) {
      this.watchTime(entry);
      if (isPreparing(entry.current!.state)) void this.carryOut(entry);
    }
    this.watchExpiration();
  }

  /** InitProducerId. Without a transactional id it always gives a fresh producer id. */
  async initProducerId({
    transactionalId: id,
    timeoutMs,
    expected,
  }: InitProducerIdRequest): Promise<ProducerIdAndEpoch> {
    const { clock } = this.options;
    if (id === null) return { producerId: await this.freshId(), producerEpoch: 0 };
    expectId(id);
    expectTimeout(timeoutMs, this.limits.maxTimeoutMs);
    const fresh = needsFreshId(this.entries.get(id)?.current) ? await this.freshId() : undefined;
    const entry = this.entries.get(id) ?? newEntry(id, undefined);
    expectIdle(entry);
    const { current } = entry;
    if (current !== undefined) {
      expectHolder(current, expected);
      if (current.state === 'Ongoing') {
        await this.write(entry, fencedOff(current, clock.now()));
        await this.carryOut(entry);
      }
      if (current.state === 'Ongoing' || isPreparing(current.state)) throw concurrent(id);
    }
    const next = initialise(id, current, { timeoutMs, expected }, fresh, clock.now());
    this.entries.set(id, entry);
    await this.write(entry, next);
    return { producerId: next.producerId, producerEpoch: next.producerEpoch };
  }

  /** AddPartitionsToTxn; AddOffsetsToTxn with the partition in which the group's offsets are kept. */
  async addPartitions(id: string, producer: ProducerIdAndEpoch, added: Partitions): Promise<void> {
    const [entry, current] = this.idle(id, producer);
    const next = withPartitions(current, added, this.options.clock.now());
    if (next !== undefined) await this.write(entry, next);
  }

  /** EndTxn. */
  async end(id: string, producer: ProducerIdAndEpoch, commit: boolean): Promise<void> {
    const [entry, current] = this.idle(id, producer);
    const next = ended(current, commit, this.options.clock.now());
    if (next === undefined) return;
    await this.write(entry, next);
    await this.carryOut(entry);
  }

  /**
   * Why this producer's transaction may not write to a partition now, if so: a step of it is being carried out
   * (CONCURRENT_TRANSACTIONS, worth retrying), or it never added the partition (INVALID_TXN_STATE), or its id or epoch is
   * not the present one. To be asked in the same turn in which the records are appended.
   */
  verify(
    id: string,
    producerId: number,
    producerEpoch: number,
    topic: string,
    partition: number,
  ): LogErrorCode | undefined {
    const current = this.entries.get(id)?.current;
    if (current === undefined) return 'INVALID_PRODUCER_ID_MAPPING';
    return refusalOf(current, { producerId, producerEpoch }, topic, partition);
  }

  /**
   * Resolves when the id is in the middle of no step: then is the time to repeat what was answered CONCURRENT_TRANSACTIONS.
   * Rejects when that will never be, because the log takes nothing any more.
   */
  async whenIdle(id: string): Promise<void> {
    if (this.over !== undefined) throw this.over;
    const entry = this.entries.get(id);
    if (entry === undefined || isIdle(entry)) return;
    await new Promise<void>((go, fail) => entry.waiting.push({ go, fail }));
  }

  /** The log has stopped, or is about to be closed. */
  stop(error: LogError): void {
    this.over = error;
    for (const entry of this.entries.values()) for (const { fail } of entry.waiting.splice(0)) fail(error);
  }

  /** ListTransactions: what there is of those states, and which names of states mean nothing. */
  list(filter: TransactionFilter): {
    readonly unknownStates: readonly string[];
    readonly transactions: readonly Transaction[];
  } {
    const now = this.options.clock.now();
    const transactions: Transaction[] = [];
    for (const { current } of this.entries.values()) {
      if (current === undefined) continue;
      if (filter.states.length > 0 && !filter.states.includes(current.state)) continue;
      if (filter.producerIds.length > 0 && !filter.producerIds.includes(current.producerId)) continue;
      if (filter.durationMs >= 0 && now - current.startedAt <= filter.durationMs) continue;
      transactions.push(current);
    }
    return { unknownStates: filter.states.filter((name) => !isState(name)), transactions };
  }

  /** DescribeTransactions; of one that is being carried out, the partitions that have no marker yet. */
  describe(id: string): Transaction {
    expectId(id);
    const entry = this.entries.get(id);
    if (entry?.current === undefined) {
      throw new LogError('TRANSACTIONAL_ID_NOT_FOUND', `nothing is known of the transactional id '${id}'`);
    }
    return { ...entry.current, partitions: entry.completion?.left ?? entry.current.partitions };
  }

  /** Leaves everything as it is durable. What is being written or carried out is waited for. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancelExpiry();
    for (const entry of this.entries.values()) entry.cancelTimer();
    this.stop(closing());
    await Promise.allSettled(this.running);
  }

  private async freshId(): Promise<number> {
    try {
      return await this.options.producerIds.take();
    } catch (error) {
      throw unavailable('no producer id can be given', error);
    }
  }

  /** What the producer takes its next step from. */
  private idle(id: string, producer: ProducerIdAndEpoch): readonly [Entry, Transaction] {
    expectId(id);
    const entry = this.entries.get(id);
    if (entry?.current !== undefined) {
      expectProducer(entry.current, producer);
      expectIdle(entry);
      return [entry, entry.current];
    }
    throw new LogError(
      'INVALID_PRODUCER_ID_MAPPING',
      `nothing is known of the transactional id '${id}': start its producer with InitProducerId`,
    );
  }

  /** One step, or with nothing the end of the id. Nothing has happened when it throws, unless the log has stopped. */
  private async write(entry: Entry, next: Transaction | undefined): Promise<void> {
    const { log } = this.options;
    if (this.closed) throw closing();
    const done = () => {
      entry.writing = false;
    };
    entry.writing = true;
    try {
      await log.put([{ key: entry.key, value: next === undefined ? null : bytesOf(next) }], () => {
        done();
        this.step(entry, next);
      });
    } catch (error) {
      done();
      if (entry.current === undefined) this.entries.delete(entry.transactionalId);
      throw unavailable(`transactional id '${entry.transactionalId}' cannot take a step`, error);
    } finally {
      if (isIdle(entry)) for (const { go } of entry.waiting.splice(0)) go();
    }
  }

  private step(entry: Entry, next: Transaction | undefined): void {
    entry.current = next;
    entry.completion = undefined;
    entry.cancelTimer();
    if (next === undefined) this.entries.delete(entry.transactionalId);
    else this.watchTime(entry);
  }

  /** Resolves when it is complete, or when a first attempt has shown that it will take longer. */
  private carryOut(entry: Entry): Promise<void> {
    const work = this.attempt(entry).finally(() => this.running.delete(work));
    this.running.add(work);
    return work;
  }

  private async attempt(entry: Entry): Promise<void> {
    const { participants, clock } = this.options;
    if (this.closed) return;
    entry.completion ??= new Completion(entry.current!, participants);
    const all = await entry.completion.attempt();
    if (this.closed) return;
    try {
      if (all) return await this.write(entry, completed(entry.current!, clock.now()));
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
    }
    this.setTimer(entry, RETRY, () => this.carryOut(entry));
  }

  private watchTime(entry: Entry): void {
    const { state, startedAt, timeoutMs } = entry.current!;
    if (state !== 'Ongoing') return;
    const left = startedAt + timeoutMs - this.options.clock.now();
    this.setTimer(entry, Math.max(0, left), () => this.abortOverdue(entry));
  }

  private async abortOverdue(entry: Entry): Promise<void> {
    try {
      expectIdle(entry);
      await this.write(entry, fencedOff(entry.current!, this.options.clock.now()));
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (entry.current?.state === 'Ongoing') this.setTimer(entry, RETRY, () => this.abortOverdue(entry));
      return;
    }
    await this.carryOut(entry);
  }

  private watchExpiration(): void {
    const look = () => {
      void this.forgetExpired();
      this.watchExpiration();
    };
    this.cancelExpiry = this.options.clock.setTimer(EXPIRATION_CHECK_INTERVAL, look, true);
  }

  private async forgetExpired(): Promise<void> {
    const before = this.options.clock.now() - this.limits.expirationMs;
    const expired = [...this.entries.values()].filter(
      ({ current, writing }) => !writing && current !== undefined && isExpired(current, before),
    );
    // What cannot be written now is as old the next time.
    await Promise.allSettled(expired.map((entry) => this.write(entry, undefined)));
  }

  private setTimer(entry: Entry, ms: number, run: () => Promise<void>): void {
    if (this.closed) return;
    entry.cancelTimer();
    entry.cancelTimer = this.options.clock.setTimer(ms, () => void run(), true);
  }
}

function newEntry(transactionalId: string, current: Transaction | undefined): Entry {
  return {
    transactionalId,
    key: keyOf(transactionalId),
    current,
    writing: false,
    completion: undefined,
    cancelTimer: () => undefined,
    waiting: [],
  };
}

function expectId(transactionalId: string): void {
  if (transactionalId === '') throw new LogError('INVALID_REQUEST', 'a transactional id has at least one character');
}

function expectTimeout(timeoutMs: number, most: number): void {
  if (timeoutMs > 0 && timeoutMs <= most) return;
  throw new LogError(
    'INVALID_TRANSACTION_TIMEOUT',
    `transaction.timeout.ms is ${timeoutMs}; it must be from 1 to ${most}`,
  );
}

function expectIdle(entry: Entry): void {
  if (entry.writing) throw concurrent(entry.transactionalId);
}

function isIdle({ writing, current }: Entry): boolean {
  return !writing && (current === undefined || !isPreparing(current.state));
}

function closing(): LogError {
  return new LogError('COORDINATOR_NOT_AVAILABLE', 'the log is being closed');
}

function isState(name: string): boolean {
  return transactionStates.includes(name as TransactionState);
}

/** To clients the coordinator is away while its log takes nothing: they know what to do then. */
function unavailable(what: string, cause: unknown): unknown {
  if (!(cause instanceof LogError)) return cause;
  return new LogError('COORDINATOR_NOT_AVAILABLE', `${what}: ${cause.message}`, { cause });
}
