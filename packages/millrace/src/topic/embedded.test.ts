import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, openLog } from '@millrace/broker';
import { embeddedTopicLog } from './embedded.ts';
import { TransactionFenced } from './topic-log.ts';
import { type Backend, topicLogSuite } from './topic-log-suite.ts';
import { topicTransactionsSuite } from './topic-transactions-suite.fixture.ts';

/** A clock that the test moves; what is due then runs. */
function movedClock() {
  let now = 1_000_000;
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  const clock: Clock = {
    now: () => now,
    setTimer(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  const move = (ms: number) => {
    now += ms;
    for (const timer of timers) if (timer.at <= now && timers.delete(timer)) timer.run();
  };
  return { clock, move };
}

/** `log` is the one that is open: another one after `reopen`. */
async function temporaryLog() {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-topics-'));
  const { clock, move } = movedClock();
  const open = () => openLog({ directory, clock, retentionCheckInterval: 1_000 });
  const temporary = {
    log: await open(),
    move,
    async reopen() {
      await temporary.log.close();
      temporary.log = await open();
    },
    async close() {
      await temporary.log.close();
      await rm(directory, { recursive: true });
    },
  };
  return temporary;
}

async function backend(): Promise<Backend> {
  const temporary = await temporaryLog();
  return {
    log: embeddedTopicLog(temporary.log),
    async reopen() {
      await temporary.reopen();
      return embeddedTopicLog(temporary.log);
    },
    close: temporary.close,
    async compact(topic) {
      const { earliest } = temporary.log.offsets(topic, 0);
      const first = () => temporary.log.read(topic, 0, earliest).records[0]?.offset;
      const before = first();
      // It takes its turns while others read and write.
      for (let looks = 0; looks < 1_000 && first() === before; looks++) {
        temporary.move(15_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    expire: {
      config: { 'segment.bytes': 2_000, 'retention.ms': 3_600_000 },
      async records(topic) {
        // Two looks: the first may find the newest segment still in use.
        for (let look = 0; look < 2; look++) temporary.move(2 * 3_600_000);
        while (temporary.log.offsets(topic, 0).earliest === 0) await new Promise((resolve) => setImmediate(resolve));
      },
    },
  };
}

topicLogSuite('the embedded log', backend);
topicTransactionsSuite('the embedded log', backend);

test('the log that was handed in stays open when the topics are closed', async () => {
  const { log, close } = await temporaryLog();
  const topics = embeddedTopicLog(log);
  await topics.ensureTopic({ name: 't' });
  await topics.produce('t', [{ key: null, value: new Uint8Array(1), timestamp: 1 }]);
  await topics.close();
  assert.equal(log.offsets('t', 0).latest, 1);
  await close();
});

test('a write that partly fails is told when all of it has been tried', async () => {
  const { log, close } = await temporaryLog();
  const topics = embeddedTopicLog(log);
  await topics.ensureTopic({ name: 't', config: { 'max.message.bytes': 2_000 } });
  const record = (size: number) => ({ key: null, value: new Uint8Array(size), timestamp: 1 });
  await assert.rejects(topics.produce('t', [record(5_000), record(1), record(1)]), { code: 'MESSAGE_TOO_LARGE' });
  assert.equal(log.offsets('t', 0).latest, 2);
  await topics.close();
  await close();
});

test('an id that was silent for so long that the log has forgotten it is taken again, and its marker is still there', async () => {
  const { log, move, close } = await temporaryLog();
  const topics = embeddedTopicLog(log);
  await topics.ensureTopic({ name: 't' });
  const transactions = topics.transactions('silent');
  await transactions.claim();
  const records = [{ key: null, value: new Uint8Array(1), timestamp: 1 }];
  await transactions.publish('t', records, new TextEncoder().encode('before'));
  move(8 * 86_400_000);
  const fenced = async () => {
    await assert.rejects(transactions.publish('t', records, new Uint8Array(1)), TransactionFenced);
  };
  // What forgets it has to be durable first.
  for (let tries = 0; ; tries++) {
    try {
      await fenced();
      break;
    } catch (error) {
      assert.ok(tries < 100, String(error));
      await new Promise((resolve) => setImmediate(resolve));
      move(3_600_000);
    }
  }
  assert.notEqual(await transactions.claim(), undefined);
  await transactions.publish('t', records, new TextEncoder().encode('after'));
  assert.equal(new TextDecoder().decode((await transactions.claim())!), 'after');
  await topics.close();
  await close();
});
