import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../log/faulty-storage.ts';
import { ownDirectory } from './broker.fixture.ts';
import { TestClient } from './client.fixture.ts';
import { type Connect, load, verify, Witness } from './crash-load.fixture.ts';

const KILLS = 24;
const fixture = fileURLToPath(new URL('./kill.fixture.ts', import.meta.url));

async function start(directory: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
  const child = spawn(process.execPath, [...conditions, fixture, directory, `${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout!, 'data');
  return { child, port: Number(String(line)) };
}

test(`${KILLS} kills of the broker under load lose nothing acknowledged, double nothing and show nothing aborted`, async (t) => {
  const directory = ownDirectory(t);
  const random = seededRandom(7);
  const witness = new Witness();
  let { child, port } = await start(directory, 0);
  t.after(() => child.kill('SIGKILL'));
  let isOver = false;
  let isUp = Promise.resolve();
  const clients: TestClient[] = [];
  const connect: Connect = async () => {
    for (;;) {
      await isUp;
      if (isOver) return undefined;
      try {
        const client = await TestClient.connect(port);
        clients.push(client);
        return client;
      } catch {
        // It was killed again, before it was reached.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };
  const loading = load(connect, witness, random);
  for (let n = 0; n < KILLS; n++) {
    await Promise.race([witness.more(1 + Math.floor(random() * 150)), loading]);
    const back = Promise.withResolvers<void>();
    isUp = back.promise;
    child.kill('SIGKILL');
    const [, signal] = await once(child, 'close');
    assert.equal(signal, 'SIGKILL');
    ({ child, port } = await start(directory, port));
    back.resolve();
  }
  // What is said of transactions that ended since the last start is not what recovery found.
  await Promise.race([witness.more(300), loading]);
  isOver = true;
  for (const client of clients) await client.close();
  await loading;
  isOver = false;
  await verify(connect, witness);
  assert.ok(witness.acked.size > KILLS && witness.committed.size > KILLS && witness.aborted.size > 0);
  assert.ok(witness.consumed.every((values) => values.length > KILLS));
  for (const client of clients) await client.close();
});
