import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage, seededRandom } from '../log/faulty-storage.ts';
import { openDirectoryLog } from '../log/log.ts';
import { ManualClock } from '../log/manual-clock.ts';
import { Fetch } from '../protocol/messages/records.ts';
import { framed } from './client.fixture.ts';
import type { Wire } from './connection.ts';
import { ProtocolServer } from './protocol-server.ts';
import { defaultSettings } from './settings.ts';

const who = { host: 'nowhere', endpoint: { host: 'nowhere', port: 1 } };

class RecordingWire implements Wire {
  readonly written: Buffer[] = [];
  state: 'open' | 'ended' | 'destroyed' = 'open';
  onEnd = (): void => {};
  write(chunks: readonly Uint8Array[], left: () => void): boolean {
    left();
    this.written.push(Buffer.concat(chunks));
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.state = 'ended';
    this.onEnd();
  }
  destroy(): void {
    this.state = 'destroyed';
  }
}

async function open(clock = new ManualClock()) {
  const random = seededRandom(1);
  const log = await openDirectoryLog({ directory: '/data', storage: new FaultyStorage(), clock, random });
  await log.createTopic('t');
  const server = await ProtocolServer.open({ log, clock, random, settings: defaultSettings, say: () => {} });
  return { clock, log, server };
}

const topics = [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }];
const longPoll = { maxWaitMs: 60_000, minBytes: 1, isolationLevel: 0, topics, forgottenTopicsData: [] };

test('when it stops, whoever waits is answered before the connection ends', async () => {
  const { log, server } = await open();
  const wire = new RecordingWire();
  const connection = server.connect(wire, who);
  wire.onEnd = () => connection.down();
  connection.receive(framed(Fetch, 12, longPoll, 7));
  assert.equal(wire.written.length, 0);
  await server.close();
  assert.equal(wire.written[0]!.readInt32BE(4), 7);
  assert.equal(wire.state, 'ended');
  await log.close();
});

test('a client that does not read its last response is let go after five seconds', async () => {
  const { clock, log, server } = await open();
  const wire = new RecordingWire();
  server.connect(wire, who);
  const closing = server.close();
  assert.equal(wire.state, 'ended');
  clock.advance(5_000);
  await closing;
  assert.equal(wire.state, 'destroyed');
  await log.close();
});

test('a long poll ends in time although the clock was set back meanwhile', async () => {
  class SetBack extends ManualClock {
    back = 0;
    override now(): number {
      return super.now() - this.back;
    }
  }
  const clock = new SetBack();
  const { log, server } = await open(clock);
  const wire = new RecordingWire();
  const connection = server.connect(wire, who);
  connection.receive(framed(Fetch, 12, longPoll, 1));
  clock.back = 3_600_000;
  clock.advance(60_000);
  for (let n = 0; n < 10; n++) await undefined;
  assert.equal(wire.written.length, 1);
  connection.down();
  await server.close();
  await log.close();
});

test('a long poll whose client is gone waits no longer', async () => {
  const { clock, log, server } = await open();
  const connection = server.connect(new RecordingWire(), who);
  connection.receive(framed(Fetch, 12, longPoll, 1));
  assert.equal(clock.waiting(60_000), true);
  connection.down();
  for (let n = 0; n < 10; n++) await undefined;
  assert.equal(clock.waiting(60_000), false);
  await server.close();
  await log.close();
});
