/**
 * The process that recovery.ts kills: `node recovery-process.ts FOLDER KEYS`. The first time it makes as many keys; each time
 * it says on its output what it has come to, and when: `<mark>\t<milliseconds since 1970>`.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openLog } from '@millrace/broker';
import { bolt, topology, type, value } from 'millrace';
import { string, topic, topicSink, topicSpout } from 'millrace/topic';
import { embeddedTopicLog } from '../packages/millrace/src/topic/embedded.ts';
import { type TopicRecord, topicLog } from '../packages/millrace/src/topic/topic-log.ts';
import { startCheckpointed } from './checkpointed.ts';

export type Mark = 'runs' | 'loaded' | 'log open' | 'read' | 'started' | 'first output' | 'all keys are there';

/** Events per second that come in all the time. */
const RATE = 5000;
const PACE = 10;

/** Tells what this process has made from what the one before had, and could not publish any more. */
const LIFE = String(performance.timeOrigin);

const say = (mark: Mark, at = performance.timeOrigin + performance.now()) => process.stdout.write(`${mark}\t${at}\n`);

const payments = topic('payments', { value: string, key: (name) => name, partitions: 4 });
const counts = topic('counts', { value: string, partitions: 1 });

const counting = topology('recovery', (t) => {
  const paid = t.spout('payments', topicSpout(payments, { group: 'recovery' }));
  const count = bolt({
    emits: type<string>(),
    state: { seen: value(0) },
    prepare: ({ emit, state }) => ({
      execute(name: string) {
        state.seen.set(state.seen.get() + 1);
        emit(`${name} ${state.seen.get()} ${LIFE}`);
      },
    }),
  });
  const counted = t.bolt(
    'count',
    paid.keyBy((name) => name),
    count,
  );
  t.sink('counts', counted.shuffle(), topicSink(counts));
});

async function main(folder: string, keys: number): Promise<void> {
  say('runs', performance.timeOrigin);
  say('loaded');
  const log = await openLog({ directory: join(folder, 'log') });
  say('log open');
  const topics = embeddedTopicLog(log);
  await topics.ensureTopic({ name: payments.name, partitions: 4 });
  await topics.ensureTopic({ name: counts.name });
  const isFirst = log.offsets(payments.name, 0).latest === 0;
  const producer = log.producer();
  const send = (n: number) => void producer.send({ topic: payments.name, ...recordOf(n % keys) });
  if (isFirst) {
    for (let n = 0; n < keys; n++) {
      send(n);
      if (n % 10_000 === 0) await producer.ready();
    }
  }

  const [end = 0] = await topics.offsets(counts.name, 'latest');
  let fresh = false;
  const take = () => {
    for (let some = true; some; ) {
      const taken = output.take();
      const records: readonly TopicRecord[] = taken.outOfRange ? [] : taken.records;
      some = records.length > 0;
      if (fresh || !records.some(({ value }) => string.decode(value!).endsWith(LIFE))) continue;
      fresh = true;
      say('first output');
    }
  };
  const output = topics.read(counts.name, 0, end, take);
  take();

  const running = await startCheckpointed(counting, {
    folder,
    interval: 100,
    resources: new Map([[topicLog.name, topics]]),
    onRead: () => say('read'),
    log: (text) => {
      if (/^restored/.test(text)) say('all keys are there');
    },
  });
  say('started');
  const began = performance.now();
  let isWhole = !isFirst;
  for (let n = 0; ; await pause(PACE)) {
    const due = ((performance.now() - began) / 1000) * RATE;
    for (; n < due; n++) send(n * 7919);
    const { executed } = running.metrics().components.find(({ component }) => component === 'count')!;
    if (isWhole || executed < keys) continue;
    isWhole = true;
    void running.checkpoint().then(() => say('all keys are there'));
  }
}

function recordOf(n: number) {
  const name = Buffer.from(`customer-${n}`);
  return { key: name, value: name };
}

await main(process.argv[2] ?? '', Number(process.argv[3]));
