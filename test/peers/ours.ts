/**
 * Our broker as its users have it: a process of its own, on real files, on a free port. By hand, to point a client at:
 * `node --conditions=@millrace/source test/peers/ours.ts` prints the address and waits.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Broker, type BrokerSettings } from '@millrace/broker';

export interface OurBroker {
  readonly bootstrap: string;
  readonly stop: () => Promise<void>;
}

/** It ends with its standard input, so it does not outlive the process that started it. */
export async function startOurs({ settings = {} }: { settings?: Partial<BrokerSettings> } = {}): Promise<OurBroker> {
  const command = ['--conditions=@millrace/source', import.meta.filename, JSON.stringify(settings)];
  const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const first = createInterface(child.stdout)[Symbol.asyncIterator]().next();
  const line = await Promise.race([
    first.then(({ value }) => value as string | undefined),
    ended.then(() => undefined),
  ]);
  if (line === undefined) throw new Error('the broker ended before it was ready; what it said is above');
  const stop = async () => {
    child.stdin.end();
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`the broker ended with ${code ?? signal}`);
  };
  return { bootstrap: line, stop };
}

if (import.meta.main) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-ours-'));
  const settings = JSON.parse(process.argv[2] ?? '{}') as Partial<BrokerSettings>;
  const broker = await Broker.start({ directory, settings, onRemark: (remark) => console.error(remark) });
  console.log(broker.bootstrap);
  await Promise.race([once(process.stdin.resume(), 'end'), once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await broker.close();
  rmSync(directory, { recursive: true, force: true });
  process.exit();
}
