import { LogError, type LogErrorCode } from '../errors.ts';

/**
 * One transactional id as plain data, and every step that it can take: what Kafka's coordinator does for clients before
 * KIP-890 (an epoch lives until InitProducerId or a time-out ends it). A step gives what is to become durable, and
 * changes nothing; it throws what the client is to be told.
 *
 *     Empty ──add──▶ Ongoing ──end──▶ PrepareCommit ──markers──▶ CompleteCommit ──add──▶ Ongoing …
 *                       └─end, fence─▶ PrepareAbort ──markers──▶ CompleteAbort
 *
 * InitProducerId leads from Empty and both Complete states to Empty; after `transactional.id.expiration.ms` there the
 * id is Dead, which is never written: its record goes.
 */
export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'Dead';

/** In the order of Kafka's numbers for them. */
export const transactionStates: readonly TransactionState[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
];

export type Partitions = ReadonlyMap<string, ReadonlySet<number>>;

export interface Transaction {
  readonly transactionalId: string;
  readonly producerId: number;
  /** The producer id before the last InitProducerId; -1 when there was none. */
  readonly previousProducerId: number;
  readonly producerEpoch: number;
  /** The epoch that a producer went on from to get the present one; -1 when it did not go on from any. */
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  readonly partitions: Partitions;
  /** Wall ms at which the current or last transaction began; -1 when there was none since InitProducerId. */
  readonly startedAt: number;
  readonly updatedAt: number;
}

export interface ProducerIdAndEpoch {
  readonly producerId: number;
  readonly producerEpoch: number;
}

const MAX_EPOCH = 2 ** 15 - 1;
const none: Partitions = new Map();

/** No producer gets the last epoch: it is kept for fencing the one before. */
function isExhausted(epoch: number): boolean {
  return epoch >= MAX_EPOCH - 1;
}

/** InitProducerId will need a producer id that nobody had. */
export function needsFreshId(current: Transaction | undefined): boolean {
  return current === undefined || (isAtRest(current.state) && isExhausted(current.producerEpoch));
}

/**
 * InitProducerId in a state without an open transaction. `freshId` is for a new transactional id and for when the
 * epochs have run out. With `expected` (KIP-360) only the producer that holds the id goes on; the one whose answer
 * was lost is recognised and gets the same answer again.
 */
export function initialise(
  transactionalId: string,
  current: Transaction | undefined,
  request: { readonly timeoutMs: number; readonly expected: ProducerIdAndEpoch | undefined },
  freshId: number | undefined,
  now: number,
): Transaction {
  const { timeoutMs, expected } = request;
  const common = {
    transactionalId,
    timeoutMs,
    state: 'Empty',
    partitions: none,
    startedAt: -1,
    updatedAt: now,
  } as const;
  if (current === undefined) {
    return { ...common, producerId: freshId!, previousProducerId: -1, producerEpoch: 0, lastProducerEpoch: -1 };
  }
  expectHolder(current, expected);
  const { producerId, producerEpoch, lastProducerEpoch } = current;
  const goesOn = expected?.producerEpoch === producerEpoch;
  const same = { ...common, producerId, previousProducerId: producerId };
  if (isExhausted(producerEpoch) && (expected === undefined || goesOn)) {
    const last = goesOn ? producerEpoch : -1;
    return { ...same, producerId: freshId!, producerEpoch: 0, lastProducerEpoch: last };
  }
  if (expected === undefined) return { ...same, producerEpoch: producerEpoch + 1, lastProducerEpoch: -1 };
  if (goesOn) return { ...same, producerEpoch: producerEpoch + 1, lastProducerEpoch: producerEpoch };
  if (expected.producerEpoch !== lastProducerEpoch) throw fenced(current, expected.producerEpoch);
  return { ...same, previousProducerId: current.previousProducerId, producerEpoch, lastProducerEpoch };
}

/** Nobody but the holder of the id, or of the id before it whose epochs ran out, goes on from what it has. */
export function expectHolder(current: Transaction, expected: ProducerIdAndEpoch | undefined): void {
  if (expected === undefined || expected.producerId === current.producerId) return;
  if (expected.producerId === current.previousProducerId && isExhausted(expected.producerEpoch)) return;
  throw new LogError(
    'PRODUCER_FENCED',
    `transactional id '${current.transactionalId}' belongs to producer id ${current.producerId}, not ${expected.producerId}: another producer was started with it`,
  );
}

/** Nothing when all of it is in the transaction already. */
export function withPartitions(current: Transaction, added: Partitions, now: number): Transaction | undefined {
  if (isPreparing(current.state)) throw concurrent(current.transactionalId);
  const ongoing = current.state === 'Ongoing';
  const partitions = new Map(current.partitions);
  let grows = !ongoing;
  for (const [topic, numbers] of added) {
    const known = partitions.get(topic);
    const union = new Set([...(known ?? []), ...numbers]);
    if (union.size === (known?.size ?? 0)) continue;
    grows = true;
    partitions.set(topic, union);
  }
  if (!grows) return undefined;
  return { ...current, state: 'Ongoing', partitions, startedAt: ongoing ? current.startedAt : now, updatedAt: now };
}

/** EndTxn. Nothing when a retry finds it done. */
export function ended(current: Transaction, commit: boolean, now: number): Transaction | undefined {
  const { state } = current;
  if (state === 'Ongoing') return { ...current, state: commit ? 'PrepareCommit' : 'PrepareAbort', updatedAt: now };
  if (state === (commit ? 'CompleteCommit' : 'CompleteAbort')) return undefined;
  if (state === (commit ? 'PrepareCommit' : 'PrepareAbort')) throw concurrent(current.transactionalId);
  throw new LogError(
    'INVALID_TXN_STATE',
    `transactional id '${current.transactionalId}' cannot ${commit ? 'commit' : 'abort'}: its state is ${state}`,
  );
}

/** Aborts what is open under an epoch that no producer has: what comes late from the old one is refused. */
export function fencedOff(current: Transaction, now: number): Transaction {
  const producerEpoch = current.producerEpoch + 1;
  return { ...current, state: 'PrepareAbort', producerEpoch, lastProducerEpoch: -1, updatedAt: now };
}

/** All markers are durable. */
export function completed(current: Transaction, now: number): Transaction {
  const state = current.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort';
  return { ...current, state, partitions: none, updatedAt: now };
}

export function isPreparing(state: TransactionState): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

/** Without an open transaction and silent for long: the id may be forgotten. */
export function isExpired(current: Transaction, before: number): boolean {
  return isAtRest(current.state) && current.updatedAt <= before;
}

function isAtRest(state: TransactionState): boolean {
  return state !== 'Ongoing' && !isPreparing(state);
}

/** Why this producer may not write to a partition, if so. */
export function refusalOf(
  current: Transaction,
  producer: ProducerIdAndEpoch,
  topic: string,
  partition: number,
): LogErrorCode | undefined {
  if (current.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING';
  if (current.producerEpoch !== producer.producerEpoch) return 'INVALID_PRODUCER_EPOCH';
  if (isPreparing(current.state)) return 'CONCURRENT_TRANSACTIONS';
  if (current.state === 'Ongoing' && current.partitions.get(topic)?.has(partition) === true) return undefined;
  return 'INVALID_TXN_STATE';
}

/** Steps within transactions are for the producer alone that holds the id, under its present epoch. */
export function expectProducer(current: Transaction, { producerId, producerEpoch }: ProducerIdAndEpoch): void {
  if (current.producerId !== producerId) {
    throw new LogError(
      'INVALID_PRODUCER_ID_MAPPING',
      `transactional id '${current.transactionalId}' belongs to producer id ${current.producerId}, not ${producerId}`,
    );
  }
  if (current.producerEpoch !== producerEpoch) throw fenced(current, producerEpoch);
}

export function concurrent(transactionalId: string): LogError {
  return new LogError(
    'CONCURRENT_TRANSACTIONS',
    `transactional id '${transactionalId}' is in the middle of another step; try again`,
  );
}

function fenced(current: Transaction, epoch: number): LogError {
  return new LogError(
    'PRODUCER_FENCED',
    `transactional id '${current.transactionalId}' is at epoch ${current.producerEpoch}, not ${epoch}: its producer was replaced, or its transaction timed out`,
  );
}
