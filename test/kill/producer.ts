/**
 * The process that sends, as an application would: idempotent, with acks=all, in order, whatever becomes of the broker
 * meanwhile; until it is told that it is enough.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { realRuntime } from '../../packages/millrace/src/runtime/real.ts';
import { kafkaTopicLog } from '../../packages/millrace/src/topic/kafka.ts';
import { Child } from './child.ts';
import type { Feed } from './feed.ts';
import { PACE } from './feed.ts';
import type { Scenario } from './scenario.ts';
import { scenarioNamed } from './scenarios.ts';

export function feedTopic(scenario: Scenario, bootstrap: string, perSecond: number): Feed {
  const producer = Child.node('the producer', [import.meta.filename, scenario.name, bootstrap, String(perSecond)]);
  return {
    async finish() {
      producer.tell('enough');
      const [, sent] = await producer.says(/^sent (\d+)$/m);
      await producer.ended;
      return Number(sent);
    },
  };
}

async function produce(scenario: Scenario, bootstrap: string, perSecond: number): Promise<void> {
  const { topic, partitions, key } = scenario.input;
  const log = kafkaTopicLog({
    brokers: [bootstrap],
    clientId: 'producer',
    runtime: realRuntime(),
    log: (text) => console.error(text),
  });
  const send = (lines: readonly string[]) => {
    const bytes = (text: string) => Buffer.from(text);
    const records = lines.map((line) => ({ key: bytes(key(line)), value: bytes(line), timestamp: Date.now() }));
    return log.produce(topic, records);
  };
  let enough = false;
  const told = once(createInterface(process.stdin), 'line').then(() => {
    enough = true;
  });
  await log.ensureTopic({ name: topic, partitions });
  const began = performance.now();
  let sent = 0;
  while (!enough) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    if (due > sent) await send(Array.from({ length: due - sent }, (_, i) => scenario.line(sent + i)));
    sent = due;
    await Promise.race([pause(PACE), told]);
  }
  await send(scenario.closing(sent));
  await log.close();
  console.log(`sent ${sent}`);
}

if (import.meta.main) {
  const [name = '', bootstrap = '', perSecond = ''] = process.argv.slice(2);
  await produce(scenarioNamed(name), bootstrap, Number(perSecond));
  process.exit();
}
