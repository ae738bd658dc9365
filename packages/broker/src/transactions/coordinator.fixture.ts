import assert from 'node:assert/strict';
import { LogError, type LogErrorCode } from '../errors.ts';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import type { Marker, Participants } from './participants.ts';
import { ProducerIds } from './producer-ids.ts';
import { TransactionCoordinator } from './transaction-coordinator.ts';
import { bytesOf, keyOf } from './transaction-record.ts';

/** For tests: a coordinator over a real log on a disk that can fail, and participants that note what they are asked. */
export const DAY = 86_400_000;

class NotingParticipants implements Participants {
  readonly asked: { readonly at: string; readonly marker: Marker }[] = [];
  /** While it is set, whoever is asked waits for it. */
  gate: Promise<void> | undefined;
  /** Those that refuse. */
  readonly refusing = new Set<string>();

  async end(topic: string, partition: number, marker: Marker): Promise<void> {
    const at = `${topic}-${partition}`;
    this.asked.push({ at, marker });
    await this.gate;
    if (this.refusing.has(at)) throw new LogError('KAFKA_STORAGE_ERROR', `${at} takes no marker`);
  }
}

export class Stage {
  readonly clock: ManualClock;
  storage: FaultyStorage;
  participants = new NotingParticipants();
  log!: DirectoryLog;
  coordinator!: TransactionCoordinator;

  constructor(storage = new FaultyStorage(), clock = new ManualClock()) {
    this.storage = storage;
    this.clock = clock;
  }

  static async open(): Promise<Stage> {
    const stage = new Stage();
    await stage.open();
    return stage;
  }

  private async openLog(): Promise<void> {
    const { storage, clock } = this;
    this.log = await openDirectoryLog({ directory: '/data', storage, clock, random: seededRandom(1) });
  }

  async open(): Promise<void> {
    await this.openLog();
    this.coordinator = new TransactionCoordinator({
      log: await this.log.catalog.openInternal('__transaction_state'),
      producerIds: new ProducerIds((count) => this.log.catalog.allotProducerIds(count)),
      participants: this.participants,
      clock: this.clock,
      limits: { maxTimeoutMs: 900_000, expirationMs: 7 * DAY },
    });
  }

  async close(): Promise<void> {
    await this.coordinator.close();
    await this.log.close();
  }

  /** Stops it cleanly, or kills it, and opens it again with participants that remember nothing. */
  async restart(how: 'cleanly' | 'killed'): Promise<void> {
    if (how === 'cleanly') await this.close();
    else this.storage = this.storage.afterKill();
    this.participants = new NotingParticipants();
    await this.open();
  }

  /** As so many more InitProducerIds would leave it. */
  async raiseEpoch(transactionalId: string, producerEpoch: number): Promise<void> {
    const found = this.coordinator.describe(transactionalId);
    await this.close();
    await this.openLog();
    const log = await this.log.catalog.openInternal('__transaction_state');
    const value = bytesOf({ ...found, producerEpoch });
    await log.put([{ key: keyOf(transactionalId), value }], () => undefined);
    await this.log.close();
    await this.open();
  }

  start(transactionalId: string, expected?: { producerId: number; producerEpoch: number }, timeoutMs = 60_000) {
    return this.coordinator.initProducerId({ transactionalId, timeoutMs, expected });
  }

  stateOf(transactionalId: string): string {
    return this.coordinator.describe(transactionalId).state;
  }
}

export function partitions(...names: readonly string[]): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const name of names) {
    const [topic, number] = name.split('-') as [string, string];
    found.set(topic, (found.get(topic) ?? new Set()).add(Number(number)));
  }
  return found;
}

export async function refused(work: Promise<unknown>, code: LogErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof LogError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

/** Lets everything that waits for nothing but promises happen. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 100; n++) await undefined;
}
