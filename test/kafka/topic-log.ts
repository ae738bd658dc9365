/** The log over Apache Kafka keeps what every log of topics does. Run by `.ci/run`: a JVM is slow to start. */
import { after, test } from 'node:test';
import { kafkaBackend, kafkaSuite } from '../../packages/millrace/src/topic/kafka-suite.fixture.ts';
import { topicLogSuite } from '../../packages/millrace/src/topic/topic-log-suite.ts';
import { topicTransactionsSuite } from '../../packages/millrace/src/topic/topic-transactions-suite.fixture.ts';
import { whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';

const reason = whyNoJava('server');
if (reason === undefined) {
  const { bootstrap, version, stop } = await startKafka();
  after(stop);
  const close = async () => {};
  const restart = { skip: 'the embedded broker is restarted instead: a JVM takes long' };
  topicLogSuite(`Apache Kafka ${version}`, async () => kafkaBackend({ bootstrap, close }));
  topicTransactionsSuite(`Apache Kafka ${version}`, async () => kafkaBackend({ bootstrap, close }));
  kafkaSuite(`Apache Kafka ${version}`, async () => ({ bootstrap, restart, close }));
} else test('topics at Apache Kafka', { skip: reason }, () => {});
