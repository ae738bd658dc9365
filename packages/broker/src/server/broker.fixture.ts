import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BatchBuilder, type ProducerFields } from '../log/batch-builder.ts';
import { Broker, type BrokerOptions } from './broker.ts';
import { TestClient } from './client.fixture.ts';

/** A directory of its own, gone when the test ends. */
export function ownDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-broker-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A broker of its own, on any free port, closed when the test ends; and a client of it. */
export async function startBroker(
  t: TestContext,
  options: Partial<BrokerOptions> = {},
): Promise<{ broker: Broker; client: TestClient; remarks: string[] }> {
  const remarks: string[] = [];
  const onRemark = (remark: string) => void remarks.push(remark);
  const broker = await Broker.start({ directory: ownDirectory(t), onRemark, ...options });
  const client = await TestClient.connect(broker.port, broker.host);
  t.after(async () => {
    await client.close();
    await broker.close();
  });
  return { broker, client, remarks };
}

/** A record batch as a client sends it, of values or of pairs of a key and a value. */
export function batchOf(
  records: readonly (string | readonly [key: string, value: string])[],
  fields?: Partial<ProducerFields>,
  timestamp = 1_000,
): Buffer {
  const builder = new BatchBuilder();
  for (const record of records) {
    const [key, value] = typeof record === 'string' ? [null, record] : record;
    builder.add(timestamp, key === null ? null : Buffer.from(key), Buffer.from(value), []);
  }
  const none = { producerId: -1, producerEpoch: -1, baseSequence: -1, attributes: 0 };
  return Buffer.from(builder.finish({ ...none, ...fields }));
}
