/** `topicSink` does with epochs what every transactional sink must do. */
import { type Clock, openLog } from '@millrace/broker';
import { FaultyStorage } from '@millrace/broker/testing';
import { string } from '../codec/string.ts';
import { epochWriterSuite, type Target } from '../connectors/epoch-writer-suite.fixture.ts';
import type { Task } from '../topology/task.ts';
import { embeddedTopicLog } from './embedded.ts';
import { memoryTopicLog } from './memory-topic-log.ts';
import { topic } from './topic.ts';
import type { TopicLog } from './topic-log.ts';
import { topicSink } from './topic-sink.ts';

let drawn = 0;
/** A start of a topology draws what no other does. */
const random = () => (drawn++ % 1_000) / 1_000;

function targetOn(log: TopicLog, rest: Pick<Target, 'break' | 'close'>): Target {
  const plain = topicSink(topic('out', { value: string }));
  const open = (task: Task) => plain.epochs!.open({ ...task, random });
  return {
    sink: { ...plain, epochs: { ...plain.epochs, open } } as typeof plain,
    options: { resources: { log } },
    async visible() {
      const { partitions } = await log.ensureTopic({ name: 'out' });
      if (partitions !== 1) throw new Error('one partition has one order');
      const [end = 0] = await log.offsets('out', 'latest');
      const reader = log.read('out', 0, 0, () => {});
      const values: string[] = [];
      for (let next = 0; next < end; ) {
        const taken = reader.take();
        if (taken.outOfRange) throw new Error('out of range');
        values.push(...taken.records.map(({ value }) => string.decode(value!)));
        next = taken.next;
      }
      reader.close();
      return values;
    },
    ...rest,
  };
}

epochWriterSuite('topicSink into a log in memory', () => {
  const log = memoryTopicLog();
  const breakable: TopicLog = {
    ...log,
    transactions(id) {
      const transactions = log.transactions(id);
      return {
        ...transactions,
        publish: (...args) => (broken ? Promise.reject(new Error('broken')) : transactions.publish(...args)),
      };
    },
  };
  let broken = false;
  return targetOn(breakable, {
    break() {
      broken = true;
      return () => {
        broken = false;
      };
    },
  });
});

epochWriterSuite('topicSink into the embedded log, whose disk refuses', async () => {
  const storage = new FaultyStorage();
  const clock: Clock = { now: () => 1_000, setTimer: () => () => {} };
  const log = await openLog({ directory: '/data', storage, clock, random });
  return targetOn(embeddedTopicLog(log), {
    break() {
      // The records are written by then.
      storage.failWrite = (path) => path.includes('__millrace_epochs');
      return () => {
        storage.failWrite = () => false;
      };
    },
    close: () => log.close(),
  });
});
