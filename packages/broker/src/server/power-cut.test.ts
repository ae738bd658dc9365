import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { TestClient } from './client.fixture.ts';
import { type Connect, load, PARTITIONS, verify, Witness } from './crash-load.fixture.ts';
import { ProtocolServer } from './protocol-server.ts';
import { defaultSettings } from './settings.ts';

const CUTS = 40;

interface Running {
  readonly log: DirectoryLog;
  readonly server: ProtocolServer;
  readonly clock: ManualClock;
}

async function start(storage: FaultyStorage, random: () => number): Promise<Running> {
  const clock = new ManualClock();
  const log = await openDirectoryLog({ directory: '/data', storage, clock, random });
  if (!log.topics().includes('t')) {
    await log.createTopic('t', { partitions: PARTITIONS, config: { 'segment.bytes': 5_000 } });
  }
  return {
    log,
    clock,
    server: await ProtocolServer.open({ log, clock, random, settings: defaultSettings, say: () => {} }),
  };
}

async function cutDuringRecovery(storage: FaultyStorage, random: () => number): Promise<FaultyStorage> {
  storage.cutAt = 1 + Math.floor(random() * 30);
  try {
    await start(storage, random);
  } catch (error) {
    if (!storage.isOff) throw error;
  }
  return storage.afterPowerCut(random);
}

test(`${CUTS} power cuts under load lose nothing acknowledged, double nothing and show nothing aborted`, async () => {
  const random = seededRandom(21);
  const witness = new Witness();
  let storage = new FaultyStorage();
  let running = await start(storage, random);
  let back = Promise.withResolvers<void>();
  let isOver = false;
  const clients: TestClient[] = [];
  back.resolve();
  const connect: Connect = async () => {
    await back.promise;
    if (isOver) return undefined;
    const disk = storage;
    const client = TestClient.within(running.server, () => disk.isOff);
    clients.push(client);
    return client;
  };
  const loading = load(connect, witness, random);
  // Timers fire as work is done: marks, above all.
  witness.onPromise = () => running.clock.advance(1);
  for (let n = 0; n < CUTS; n++) {
    const off = Promise.withResolvers<void>();
    storage.onCut = off.resolve;
    storage.cutAt = storage.operations + 1 + Math.floor(random() * 2000);
    await Promise.race([off.promise, loading]);
    back = Promise.withResolvers<void>();
    storage = storage.afterPowerCut(random);
    if (n % 3 === 0) storage = await cutDuringRecovery(storage, random);
    running = await start(storage, random);
    for (const client of clients.splice(0)) client.drop();
    back.resolve();
  }
  // What is said of transactions that ended since the last start is not what recovery found.
  await Promise.race([witness.more(300), loading]);
  isOver = true;
  for (const client of clients.splice(0)) client.drop();
  await loading;
  isOver = false;
  await verify(connect, witness);
  assert.ok(witness.acked.size > CUTS && witness.committed.size > CUTS && witness.aborted.size > 0);
  assert.ok(witness.consumed.every((values) => values.length > CUTS));
});
