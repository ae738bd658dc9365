/** The judges against Apache Kafka itself: what they ask of us is what Kafka does. Run by `.ci/run`. */
import { after, before, test } from 'node:test';
import { whyNoJava } from '../peers/java.ts';
import { type Kafka, startKafka } from '../peers/kafka.ts';
import { hear } from './verdicts.ts';

const reason = whyNoJava('server');

if (reason !== undefined) test('the judges against Apache Kafka', { skip: reason }, () => {});
else {
  let kafka: Kafka;
  before(async () => {
    kafka = await startKafka();
  });
  after(() => kafka.stop());
  hear('the judges against Apache Kafka', () => kafka.bootstrap);
}
