/** The main example with its topics at Apache Kafka: started as a user starts it, it shows alerts, and ends at Ctrl-C. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { topicsAt } from '../../packages/millrace/src/topic/kafka-suite.fixture.ts';
import { whyNoJava } from '../peers/java.ts';
import { startKafka } from '../peers/kafka.ts';
import { runUntil } from '../run-until.ts';

const root = join(import.meta.dirname, '..', '..');
const reason = whyNoJava('server');
const skip = reason ?? false;

test('millrace run --brokers runs the main example on Apache Kafka', { skip }, async () => {
  const { bootstrap, stop } = await startKafka();
  after(stop);
  const data = mkdtempSync(join(tmpdir(), 'millrace-kafka-example-'));
  after(() => rmSync(data, { recursive: true, force: true }));
  const main = join(root, 'packages', 'millrace', 'src', 'cli', 'main.ts');
  const detector = join(root, 'examples', '02-anomaly-detector', 'detector.ts');
  const args = ['--conditions=@millrace/source', main, 'run', detector, '--data', data, '--brokers', bootstrap];
  const { code, stderr } = await runUntil(process.execPath, args, { cwd: root, until: /alert/i, within: 60_000 });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /stopped after/);
  const log = topicsAt(bootstrap);
  const ends = await log.offsets('sensor_readings', 'latest');
  const done = await log.committed('anomaly-detector', 'sensor_readings');
  assert.ok(Math.max(...ends) > 0, 'the readings are at Kafka');
  assert.ok(done.size > 0, 'and what was done is noted there');
  for (const [partition, offset] of done)
    assert.ok(offset > 0 && offset <= ends[partition]!, `${offset} of ${ends[partition]}`);
  await log.close();
});
